"""Starting, stopping, reloading, owning the directory."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.served import TICKET, Served, Start, busy_slots, eventually


def holdfast(node: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast", "--config", str(node.config), "--data", str(node.data), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_sigterm_ends_with_0_and_leaves_no_process(start: Start) -> None:
    node = start()
    node.post("/v1/triage/score", TICKET)
    assert node.stop() == 0
    assert node.events("stopped")


def test_requests_in_flight_are_answered_before_the_end(start: Start) -> None:
    node = start()
    statuses: list[int] = []

    def send() -> None:
        tickets = [{**TICKET, "description": "word " * 300}] * 100
        statuses.append(node.post("/v1/triage/score:batch", {"tickets": tickets}).status)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: busy_slots(node) >= 1)
    assert node.stop() == 0
    for thread in threads:
        thread.join()
    assert statuses.count(200) >= 1
    assert set(statuses) <= {200}


@pytest.mark.parametrize("port", ["0", ""], ids=["another port", "the same port"])
def test_a_second_owner_exits_75_and_names_the_first(start: Start, port: str) -> None:
    node = start()
    second = holdfast(node, "serve", "--port", port or str(node.port))
    assert second.returncode == 75
    assert str(node.process.pid) in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_taken_port_exits_75_and_says_which(start: Start, tmp_path: Path) -> None:
    node = start()
    other = Served.__new__(Served)
    other.config, other.data = node.config, tmp_path / "other"
    second = holdfast(other, "serve", "--port", str(node.port))
    assert second.returncode == 75
    assert f"127.0.0.1:{node.port}" in second.stderr


def test_the_lock_is_free_after_a_kill(start: Start) -> None:
    node = start()
    decision = node.post("/v1/triage/score", TICKET).json()
    node.stop(signal.SIGKILL)
    node.start()
    assert node.ask("GET", f"/v1/triage/decisions/{decision['decision_id']}").status == 200


def test_reload_takes_good_settings_and_refuses_bad_ones(start: Start) -> None:
    node = start()
    node.config.write_text("[triage.bands]\np0 = 99\n")
    good = holdfast(node, "config", "reload", "--json")
    assert json.loads(good.stdout)["changed"] == ["triage.bands.p0"]
    assert node.ask("GET", "/v1/triage/rubric").json()["bands"]["p0"] == 99
    node.config.write_text("[triage.bands]\np0 = 12\n")
    bad = holdfast(node, "config", "reload")
    assert bad.returncode == 78
    assert node.ask("GET", "/v1/triage/rubric").json()["bands"]["p0"] == 99


def test_sighup_reloads(start: Start) -> None:
    node = start()
    node.config.write_text("[triage.weights]\nmodel = 0.5\nkeywords = 0.15\n")
    node.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: node.ask("GET", "/v1/triage/rubric").json()["weights"]["keywords"] == 0.15)
    generation = node.post("/v1/triage/score", TICKET).json()["settings_generation"]
    assert generation == 2


def test_an_edited_rule_file_is_taken_by_itself(start: Start, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("")
    node = start(f'[triage]\nrules_file = "{rules}"\n')
    rules.write_text('[[rule]]\nname = "all"\nwhen = { contains_word = "database", in = "title" }\nfloor = 99\n')
    answer = eventually(lambda: node.events("rules-in-force") or _alerts(node), within_s=8)
    assert answer, "neither taken nor refused"


def _alerts(node: Served) -> list[str]:
    return [one["name"] for one in node.ask("GET", "/v1/node/alerts").json()["alerts"]]


def test_systemd_is_told_when_the_node_answers(start: Start, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)
        node = start(NOTIFY_SOCKET=address)
        assert b"READY=1" in manager.recv(4096)
        node.stop()
        assert b"STOPPING=1" in manager.recv(4096)


def test_the_log_is_json_lines_without_ticket_text(start: Start) -> None:
    node = start()
    node.post("/v1/triage/score", {**TICKET, "title": "zebra-secret"})
    node.ask("POST", "/v1/triage/score", b'{"zebra-secret": 1', {"Content-Type": "application/json"})
    node.stop()
    lines = node.log_path.read_text().splitlines()
    assert all(json.loads(line)["event"] for line in lines)
    assert not any("zebra" in line for line in lines)


def test_a_log_that_nobody_reads_stops_neither_answers_nor_the_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "holdfast", "--data", str(tmp_path / "data"), "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stderr is not None
        try:
            fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
            events = (json.loads(line) for line in process.stderr)
            node = Served.__new__(Served)
            node.port = next(event["port"] for event in events if event["event"] == "listening")
            for _ in range(3):
                assert {node.ask("GET", "/livez").status for _ in range(100)} == {200}
                time.sleep(1.1)  # the node's own flush
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root to become another user")
def test_another_user_of_the_machine_cannot_use_the_owner_socket(start: Start) -> None:
    node = start()
    path = node.data / "holdfast.sock"
    assert path.stat().st_mode & 0o077 == 0
    node.data.chmod(0o755)
    path.chmod(0o666)  # even where somebody loosened the mode, the kernel's word about the peer counts
    code = (
        "import os,socket,sys; os.setgid(65534); os.setuid(65534); s=socket.socket(socket.AF_UNIX);"
        "s.connect(sys.argv[1]); print(s.recv(99)[:12])"
    )
    for parent in path.parents:
        if parent == Path("/tmp"):
            break
        parent.chmod(parent.stat().st_mode | 0o055)
    said = subprocess.run([sys.executable, "-S", "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "403" in said.stdout, said.stderr
