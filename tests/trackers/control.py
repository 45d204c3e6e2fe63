"""Control: start the fake tracker from a test, and tell it what happens."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.served import Answer, Served
from tests.trackers.registry import SPEAKERS
from tests.trackers.speakers.speaker import TOKEN

__all__ = ["SECRET", "STANDARD", "Delivery", "FakeTracker", "connection", "tracker"]

SECRET = "a secret that both sides know, 32 bytes"
STANDARD = "whsec_c3R1dmVuaW4tdG90YWxseS1zZWNyZXQtMzItYnl0ZXM="
"""Of the form that Standard Webhooks asks for."""
REPOSITORY = Path(__file__).parents[2]
_MOST_URGENT = {
    "jira": "Highest",
    "zammad": "3 high",
    "otobo": "5 very high",
    "tasking-space": "P0",
    "generic": "P0",
}  # the others say it with a label


@dataclass(frozen=True)
class Delivery:
    """A signed webhook."""

    number: int
    headers: dict[str, str]
    body: bytes

    def to(self, node: Served, name: str = "desk") -> Answer:
        """Send it to a connection of a node."""
        return node.ask("POST", f"/v1/hooks/{name}", self.body, self.headers)


@dataclass
class FakeTracker:
    """A running one."""

    name: str
    port: int
    process: subprocess.Popen[str]
    scheme: str = "http"
    secret: str = SECRET

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{SPEAKERS[self.name].prefix}"

    def create(self, title: str, description: str = "", **given: Any) -> int:
        """A person makes a task."""
        return self.create_many([{"title": title, "description": description, **given}])[0]

    def create_many(self, given: list[dict[str, Any]]) -> list[int]:
        """Several at once."""
        return [one["number"] for one in self._tell("create", given)]

    def edit(self, number: int, by: str = "emily", **edits: Any) -> list[str]:
        """A person changes it; returns what changed."""
        return list(self._tell("edit", {"number": number, "by": by, "edits": edits}))

    def choice(self, number: int) -> dict[str, Any]:
        """What a person edits to make a task the most urgent, in this tracker's way."""
        word = _MOST_URGENT.get(self.name)
        return {"priority": word} if word else {"labels": [*self.card(number)["labels"], "priority/P0"]}

    def judge(self, number: int, by: str = "emily") -> None:
        """A person makes it the most urgent."""
        self.edit(number, by=by, **self.choice(number))

    def meanwhile(self, number: int, by: str = "emily", **edits: Any) -> None:
        """A person changes it between the node's read and its write."""
        self._tell("meanwhile", {"number": number, "by": by, "edits": edits})

    def fail(self, kind: str, **given: Any) -> None:
        """Misbehave: see faults.KINDS; `times`, `on`, `seconds`, `retry_after_s`, `location`."""
        self._tell("faults", [{"kind": kind, **given}])

    def behave(self) -> None:
        """No more faults."""
        self._tell("faults", [])
        self.fail_by_chance(0.0)

    def fail_by_chance(self, ratio: float, *, seed: int = 0, kinds: tuple[str, ...] = ()) -> None:
        """This share of requests fails."""
        self._tell("chances", {"ratio": ratio, "seed": seed, "kinds": list(kinds)})

    def know_labels(self, *names: str) -> None:
        """Labels the tracker has."""
        self._tell("labels", list(names))

    def send_to(self, *urls: str, attempts: int = 1) -> None:
        """Deliver every change from now on, the node's own too."""
        self._tell("hooks", {"urls": list(urls), "secret": self.secret, "attempts": attempts})

    def delivery(self, number: int) -> Delivery:
        """The webhook about the task's latest change."""
        return self.deliveries([number])[0]

    def deliveries(self, numbers: list[int]) -> list[Delivery]:
        """One each."""
        made = self._tell("deliveries", {"numbers": numbers, "secret": self.secret})
        return [Delivery(one["number"], one["headers"], base64.b64decode(one["body"])) for one in made]

    def state(self) -> dict[str, Any]:
        """Cards, counts of writes, whom it overruled, faults played."""
        return dict(self._tell("state", None))

    def card(self, number: int) -> dict[str, Any]:
        """One task as it is."""
        return dict(self.state()["cards"][str(number)])

    def writes(self, number: int) -> tuple[int, int]:
        """Raw and effective writes of the node on it."""
        state = self.state()
        return state["raw_writes"].get(str(number), 0), state["effective_writes"].get(str(number), 0)

    def _tell(self, verb: str, value: Any) -> Any:
        plain = self.scheme == "http"
        kind = http.client.HTTPConnection if plain else http.client.HTTPSConnection
        more = {} if plain else {"context": _unchecked()}
        connected = kind("127.0.0.1", self.port, timeout=30, **more)  # type: ignore[arg-type]  # context only for https
        try:
            connected.request("POST", f"/_fake/{verb}", json.dumps(value).encode())
            response = connected.getresponse()
            assert response.status == 200, response.read()
            return json.loads(response.read())
        finally:
            connected.close()


def _unchecked() -> Any:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def tracker(name: str, *options: str, port: int = 0) -> Iterator[FakeTracker]:
    """Run one; `options` are those of tests/trackers/server.py."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trackers.server", name, "--port", str(port), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        found = process.stdout.readline()
        assert found, f"the fake {name} did not start"
        scheme = "https" if "--certificate" in options else "http"
        secret = STANDARD if name in {"tasking-space", "generic"} else SECRET
        yield FakeTracker(name, int(found), process, scheme, secret)
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {json.dumps(text)}" for name, text in value.items()) + " }"
    return json.dumps(value)


def connection(fake: FakeTracker, directory: Path, *, name: str = "desk", **more: object) -> str:
    """The node's settings of a connection to it; secret and token are put in files below `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "secret").write_text(fake.secret)
    (directory / "token").write_text(f"holdfast-bot:{TOKEN}" if fake.name in {"jira", "otobo"} else TOKEN)
    given = {
        "dialect": fake.name,
        "secret_files": [str(directory / "secret")],
        "base_url": fake.base_url,
        "token_file": str(directory / "token"),
        "account": "holdfast-bot",
        **more,
    }
    lines = [f"{key} = {_toml(value)}" for key, value in given.items()]
    return f"[connections.{name}]\n" + "\n".join(lines) + "\n"
