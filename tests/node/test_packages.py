"""Installing, swapping and losing packages while the node answers."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.node.test_lifecycle import holdfast
from tests.served import TICKET, Served, Start, eventually
from tests.tiny_package import write_tiny

UNSIGNED = "[trust]\nallow_unsigned = true\n"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    return {
        version: write_tiny(folder / f"tiny-{version}.tar", version=version).path for version in ("1.0.0", "2.0.0")
    } | {"wrong": write_tiny(folder / "tiny-wrong.tar", version="3.0.0", wrong=True).path}


def tier(node: Served) -> str:
    return node.ask("GET", "/readyz").body.decode().strip().removeprefix("ready: ")


def alert_names(node: Served) -> list[str]:
    return [one["name"] for one in node.ask("GET", "/v1/node/alerts").json()["alerts"]]


def install(node: Served, path: Path) -> subprocess.CompletedProcess[str]:
    return holdfast(node, "package", "install", str(path), "--json")


def test_a_package_installed_into_a_running_node_answers_with_its_full_tier(
    start: Start, packages: dict[str, Path]
) -> None:
    node = start(UNSIGNED)
    assert tier(node) == "rules"
    report = install(node, packages["1.0.0"])
    assert report.returncode == 0, report.stderr
    assert json.loads(report.stdout)["variants"] == {"full": "tiny", "small": "ngram"}
    decision = node.post("/v1/triage/score", TICKET).json()
    assert decision["served_by"]["tier"] == "full"
    assert decision["served_by"]["unsigned"] is True
    assert decision["served_by"]["degraded"] is False


def test_without_an_owner_a_package_is_installed_and_the_next_start_serves_it(
    start: Start, packages: dict[str, Path]
) -> None:
    node = start(UNSIGNED)
    node.stop()
    assert install(node, packages["1.0.0"]).returncode == 0
    node.start()
    assert eventually(lambda: tier(node) == "full")
    assert node.ask("GET", "/v2/models/tiny").json()["versions"] == ["1.0.0"]


def test_an_unsigned_package_is_refused_with_77_where_that_is_not_allowed(
    start: Start, packages: dict[str, Path]
) -> None:
    node = start()
    refused = install(node, packages["1.0.0"])
    assert refused.returncode == 77
    assert "allow_unsigned" in refused.stderr


def test_a_package_that_answers_wrongly_is_refused_and_what_was_active_stays(
    start: Start, packages: dict[str, Path]
) -> None:
    node = start(UNSIGNED)
    install(node, packages["1.0.0"])
    refused = install(node, packages["wrong"])
    assert refused.returncode == 65
    assert node.ask("GET", "/v1/node/packages").json()["serving"] == "tiny@1.0.0"


def test_no_request_fails_while_packages_are_swapped_under_load(start: Start, packages: dict[str, Path]) -> None:
    node = start(UNSIGNED)
    install(node, packages["1.0.0"])
    statuses: Counter[tuple[int, str]] = Counter()
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            answer = node.post("/v1/triage/score", TICKET)
            statuses[answer.status, answer.json()["served_by"]["version"]] += 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert install(node, packages["2.0.0"]).returncode == 0
    assert holdfast(node, "package", "rollback", "tiny").returncode == 0
    assert holdfast(node, "package", "activate", "tiny@2.0.0").returncode == 0
    over.set()
    for thread in threads:
        thread.join()
    assert {status for status, _ in statuses} == {200}
    assert {version for _, version in statuses} == {"1.0.0", "2.0.0"}


def test_old_workers_end_after_a_swap_and_all_end_with_the_node(start: Start, packages: dict[str, Path]) -> None:
    node = start(UNSIGNED)
    install(node, packages["1.0.0"])
    install(node, packages["2.0.0"])
    assert eventually(lambda: len(_children(node)) == 1)
    (worker,) = _children(node)
    node.stop(signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{worker}").exists() or _is_zombie(worker))


def _children(node: Served) -> list[int]:
    tasks = Path(f"/proc/{node.process.pid}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_worker_killed_under_load_costs_no_request(start: Start, packages: dict[str, Path]) -> None:
    node = start(UNSIGNED)
    install(node, packages["1.0.0"])
    assert eventually(lambda: "full" in _tiers_reached(node))
    (worker,) = _children(node)
    os.kill(worker, signal.SIGKILL)
    seen = {node.post("/v1/triage/score", {**TICKET, "description": f"hello {n}"}).status for n in range(50)}
    assert seen == {200}
    assert eventually(lambda: "crashed" in _reasons(node))
    assert eventually(lambda: tier(node) == "full")


def _tiers_reached(node: Served) -> list[str]:
    return [one["after"] for one in node.ask("GET", "/v1/tiers/history").json()["transitions"]]


def _reasons(node: Served) -> list[str]:
    return [one["reason"] for one in node.ask("GET", "/v1/tiers/history").json()["transitions"]]


@pytest.mark.parametrize("good_before", [True, False])
def test_an_active_package_corrupted_on_disk_falls_back_at_the_next_start(
    start: Start, packages: dict[str, Path], *, good_before: bool
) -> None:
    node = start(UNSIGNED)
    for version in ("1.0.0", "2.0.0") if good_before else ("2.0.0",):
        assert install(node, packages[version]).returncode == 0
    node.stop()
    blobs = [blob for blob in (node.data / "packages" / "blobs").rglob("*") if blob.is_file()]
    manifests = [blob for blob in blobs if b'"version":"2.0.0"' in blob.read_bytes()]
    for blob in manifests:
        blob.chmod(0o600)
        content = bytearray(blob.read_bytes())
        content[100] ^= 1
        blob.write_bytes(content)
    started = time.monotonic()
    node.start()
    wanted = "tiny@1.0.0" if good_before else "builtin"
    assert eventually(lambda: node.ask("GET", "/v1/node/packages").json()["serving"].startswith(wanted))
    assert time.monotonic() - started < 5
    assert eventually(lambda: "package-unverified" in alert_names(node))
    assert node.post("/v1/triage/score", TICKET).json()["served_by"]["degraded"] is True


def test_embeddings_are_unit_vectors_as_floats_base64_and_from_token_ids(
    start: Start, packages: dict[str, Path]
) -> None:
    node = start(UNSIGNED)
    install(node, packages["1.0.0"])
    floats = node.post("/v1/embeddings", {"model": "tiny", "input": ["server down", "hello"]}).json()
    coded = node.post("/v1/embeddings", {"model": "tiny", "input": "server down", "encoding_format": "base64"}).json()
    ids = node.post("/v1/embeddings", {"model": "tiny", "input": [1, 4, 5]}).json()
    vector = floats["data"][0]["embedding"]
    decoded = struct.unpack("<8f", base64.b64decode(coded["data"][0]["embedding"]))
    assert sum(x * x for x in vector) == pytest.approx(1.0)
    assert decoded == pytest.approx(vector)
    assert ids["data"][0]["embedding"] == pytest.approx(vector)
    assert floats["usage"]["prompt_tokens"] == 5


@pytest.mark.parametrize(
    "question",
    [
        {"input": "x", "dimensions": 3},
        {"input": ""},
        {"input": []},
        {"input": [[]]},
        {"input": [999999]},
        {"input": [[-1]]},
        {"input": [2**64]},
        {"input": [[2**31]]},
        {"input": "x", "encoding_format": "int8"},
        {"input": {"a": 1}},
        {"input": ["x"] * 257},
    ],
)
def test_an_embedding_that_cannot_be_is_400_in_openai_s_shape(shared: Served, question: dict[str, object]) -> None:
    answer = shared.post("/v1/embeddings", {"model": "tiny", **question})
    assert answer.status == 400, answer.body
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, packages: dict[str, Path]):
    node = Served(tmp_path_factory.mktemp("shared"), UNSIGNED)
    install(node, packages["1.0.0"])
    yield node
    node.stop()


def test_fifty_commands_at_once_under_load_lose_nothing(start: Start, packages: dict[str, Path]) -> None:
    node = start(UNSIGNED)
    install(node, packages["1.0.0"])
    over = threading.Event()
    scored = itertools.count()

    def load() -> None:
        while not over.is_set():
            assert node.post("/v1/triage/score", TICKET).status == 200
            next(scored)

    loader = threading.Thread(target=load)
    loader.start()
    arguments = ["--config", str(node.config), "--data", str(node.data), "package", "pin", "tiny@1.0.0"]
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "holdfast", *arguments, *(["--remove"] if n % 2 else [])],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(12)
    ]
    codes = [command.wait(timeout=120) for command in commands]
    for command in commands:
        assert command.stdout is not None
        command.stdout.close()
    over.set()
    loader.join()
    verified = holdfast(node, "ledger", "verify", "--json")
    events = json.loads(holdfast(node, "package", "history", "tiny", "--json").stdout)["happenings"]
    assert codes == [0] * 12
    assert verified.returncode == 0, verified.stderr
    assert [one["number"] for one in events] == list(range(1, len(events) + 1))


def test_an_override_that_cannot_be_is_an_alert_and_changes_nothing(start: Start, tmp_path: Path) -> None:
    wrong = "[triage]\npackage = 'tiny'\n[packages.tiny]\noverrides = { cascade = 'sideways' }\n"
    node = start(f"{UNSIGNED}[tiers]\nhighest = 'small'\n{wrong}")
    assert install(node, write_tiny(tmp_path / "tiny.tar").path).returncode == 0
    said = node.post("/v1/triage/score", TICKET).json()
    assert (said["served_by"]["package"], said["team"]) == ("tiny", "")
    assert eventually(lambda: "override-refused" in alert_names(node))


def test_a_path_without_a_package_is_named_in_one_sentence(shared: Served, tmp_path: Path) -> None:
    missing = str(tmp_path / "nope.tar")
    done = holdfast(shared, "package", "install", missing)
    assert done.returncode == 74
    assert done.stderr.splitlines() == [
        f"holdfast: {missing}: expected a package this node can read, found: No such file or directory"
    ]
