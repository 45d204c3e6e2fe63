"""Each docs/howto page of a tracker, followed word by word: its commands, its settings, its example; against the fake.

Of a page only two things are changed: the host in `base_url`, which is the fake's, and that what it says to save as
the token file is the fake's token.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.apps.triage.dialects import DIALECTS
from tests.served import Served, eventually
from tests.stories.desk import PATIENT
from tests.trackers.control import FakeTracker, tracker
from tests.trackers.speakers.speaker import TOKEN

PAGES = Path(__file__).parents[2] / "docs" / "howto"


@dataclass
class Reader:
    """Somebody who sets a tracker up by its page, in the directory of `holdfast.toml`."""

    name: str
    node: Served
    fake: FakeTracker

    def __post_init__(self) -> None:
        self.text = (PAGES / f"{self.name}.md").read_text()
        programs = self.node.directory / "bin"
        programs.mkdir()
        line = f'exec {sys.executable} -m holdfast --config {self.node.config} --data {self.node.data} "$@"'
        (programs / "holdfast").write_text(f"#!/bin/sh\n{line}\n")
        (programs / "holdfast").chmod(0o755)

    def block(self, kind: str, heading: str) -> str:
        """The first block of that kind below a heading."""
        below = self.text.partition(heading)[2]
        found = re.search(rf"```{kind}\n(.*?)```", below, re.DOTALL)
        assert found, f"{self.name}: a {kind} block below {heading!r}"
        return found[1]

    def run(self, script: str) -> str:
        """Run what the page says."""
        path = f"{self.node.directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "HOLDFAST": f"http://127.0.0.1:{self.node.port}"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.node.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def connect(self) -> None:
        """Sections 1 and 2: secret, token, settings, reload."""
        self.run(self.block("sh", "## 1. "))
        settings = self.block("toml", "## 2. ")
        token = re.search(r'^token_file = "(.+)"$', settings, re.MULTILINE)
        if token:
            (self.node.directory / token[1]).write_text(_token(self.name))
        origin = f"http://127.0.0.1:{self.fake.port}"
        settings = re.sub(r'(base_url = ")https?://[^/"]+', rf"\g<1>{origin}", settings)
        self.node.config.write_text(f"{self.node.config.read_text()}\n{settings}")
        self.run(self.block("sh", "## 2. "))
        self.fake.secret = self.secret("")

    def secret(self, more: str) -> str:
        """What is in the secret's file."""
        return (self.node.directory / f"{self.name}.secret{more}").read_text().strip()

    def try_by_hand(self) -> str:
        """Section 4; returns the decision's id."""
        said = json.loads(self.run(self.block("sh", "## 4. ")))
        return str(said["decision_id"])

    def add_second_secret(self) -> None:
        """The section on changing the secret."""
        below = self.text.partition("## Changing the secret")[2]
        both = re.search(r"secret_files = \[[^\]]+\]", below)
        assert both, f"{self.name}: how two secrets are given"
        (self.node.directory / f"{self.name}.secret.next").write_text(self._another())
        text = re.sub(
            r"^secret_files = .*$", " ".join(both[0].split()), self.node.config.read_text(), flags=re.MULTILINE
        )
        self.node.config.write_text(text)
        self.run("holdfast config reload")

    def _another(self) -> str:
        self.run(self.block("sh", "## 1. ").replace(f"{self.name}.secret", "other"))
        return (self.node.directory / "other").read_text()


def _token(name: str) -> str:
    return f"holdfast-bot:{TOKEN}" if name in {"jira", "otobo"} else TOKEN


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_the_page_followed_word_by_word_connects_the_tracker(tmp_path: Path, name: str) -> None:
    with tracker(name) as fake:
        node = Served(tmp_path / "node", PATIENT)
        try:
            _follow(Reader(name, node, fake))
        finally:
            node.stop()


def _follow(reader: Reader) -> None:
    fake, node = reader.fake, reader.node
    reader.connect()
    fake.know_labels(*re.findall(r"`(priority/P\d)`", reader.text), *re.findall(r'= "(team/[a-z]+)"', reader.text))
    first = fake.create("Checkout is down for everybody", "Since 9:00.")
    decision = reader.try_by_hand()
    assert reader.try_by_hand() == decision  # replayed
    if DIALECTS[reader.name].ability.writes:
        assert eventually(lambda: fake.writes(first) == (1, 1), within_s=10), node.log_path.read_text()[-3000:]
    delivery = fake.delivery(fake.create("Printer is out of toner", "Third floor."))
    assert delivery.to(node, reader.name).status in {200, 202}
    _refused_without_proof(reader)
    _either_secret_is_good(reader)


def _refused_without_proof(reader: Reader) -> None:
    delivery = reader.fake.delivery(reader.fake.create("Forged", "by nobody"))
    proofs = {"authorization", "x-gitlab-token"}
    headers = {
        key: text for key, text in delivery.headers.items() if "ignature" not in key and key.lower() not in proofs
    }
    answer = reader.node.ask("POST", f"/v1/hooks/{reader.name}", delivery.body, headers)
    assert answer.status == 401


def _either_secret_is_good(reader: Reader) -> None:
    reader.add_second_secret()
    for more in ("", ".next"):
        reader.fake.secret = reader.secret(more)
        delivery = reader.fake.delivery(reader.fake.create(f"Signed with secret {more}", "of two"))
        assert delivery.to(reader.node, reader.name).status in {200, 202}


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_the_page_on_pairs_says_of_each_tracker_what_its_dialect_says(name: str) -> None:
    rows = [line for line in (PAGES / "pair.md").read_text().splitlines() if re.match(rf"\|[^|]*\b{name}\b", line)]
    assert len(rows) == 1
    ability = DIALECTS[name].ability
    assert ("`If-Match`" in rows[0], "yes" in rows[0].split("|")[3]) == (ability.conditional, ability.idempotent)
