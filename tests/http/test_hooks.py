"""Trackers deliver over real HTTP: believed for their signature, answered in time, known when they come again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.triage.counter import PAYLOADS, SECRET, issue, signed
from tests.served import JSON, Answer, Served, eventually

CONNECTIONS = """
[connections.forge]
dialect = "github"
secret_files = ["secret", "next-secret"]
base_url = "http://127.0.0.1:9"
account = "holdfast-bot"

[connections.answer]
dialect = "github"
secret_files = ["secret"]
mode = "reply"

[connections.alerts]
dialect = "alertmanager"
secret_files = ["secret"]

[connections.broken]
dialect = "gitea"
secret_files = ["missing"]
"""
NEXT = "the secret that comes after it"


def _served(directory: Path, configuration: str = CONNECTIONS) -> Served:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "secret").write_text(SECRET + "\n")
    (directory / "next-secret").write_text(NEXT)
    (directory / "secret").chmod(0o644)
    (directory / "next-secret").chmod(0o600)
    return Served(directory, configuration)


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = _served(tmp_path_factory.mktemp("hooked"))
    yield one
    one.stop()


def deliver(node: Served, body: bytes, *, to: str = "forge", secret: str = SECRET, **headers: str) -> Answer:
    given = {**JSON, "X-Hub-Signature-256": signed(body, secret), **headers}
    return node.ask("POST", f"/v1/hooks/{to}", body, given)


def test_a_delivery_is_answered_202_with_the_decision_to_be_written_back(hooked: Served) -> None:
    answer = deliver(hooked, issue(1))
    said = answer.json()
    assert (answer.status, said["task_id"]) == (202, "Codertocat/Hello-World#1")
    decision = hooked.ask("GET", f"/v1/triage/decisions/{said['decision_id']}").json()
    assert decision["task_id"] == said["task_id"]


def test_a_redelivery_is_answered_200_with_the_first_decision(hooked: Served) -> None:
    first = deliver(hooked, issue(2)).json()
    again = deliver(hooked, issue(2), **{"X-GitHub-Delivery": "another"})
    assert (again.status, again.headers["holdfast-replay"]) == (200, "true")
    assert again.json()["decision_id"] == first["decision_id"]


def test_where_nothing_is_written_back_the_answer_is_the_decision(hooked: Served) -> None:
    answer = deliver(hooked, issue(3), to="answer")
    assert (answer.status, answer.json()["priority"][0]) == (200, "P")
    assert answer.headers["holdfast-tier"] == "rules"


@pytest.mark.parametrize("secret", [SECRET, NEXT])
def test_during_a_rotation_both_secrets_are_good(hooked: Served, secret: str) -> None:
    assert deliver(hooked, issue(4, body=secret), secret=secret).status in (200, 202)


def test_a_bad_signature_is_401_and_says_which_header(hooked: Served) -> None:
    answer = deliver(hooked, issue(5), secret="a guess that is long enough")
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
    assert "x-hub-signature-256" in answer.json()["detail"]
    assert answer.headers["www-authenticate"].startswith("Signature")


def test_signature_comes_before_parsing(hooked: Served) -> None:
    assert deliver(hooked, b"{not json", secret="a guess that is long enough").status == 401
    assert deliver(hooked, b"{not json").status == 400


@pytest.mark.parametrize("name", sorted(one.name for one in (PAYLOADS / "github").iterdir()))
def test_every_real_payload_is_answered(hooked: Served, name: str) -> None:
    answer = deliver(hooked, (PAYLOADS / "github" / name).read_bytes())
    assert answer.status in (200, 202)
    assert answer.json().get("ignored") or answer.json()["decision_id"]


def test_an_event_that_is_not_about_an_issue_is_acknowledged_with_the_reason(hooked: Served) -> None:
    answer = deliver(hooked, (PAYLOADS / "github" / "ping.payload.json").read_bytes())
    assert (answer.status, answer.json()) == (200, {"ignored": "ping: the webhook works"})


def test_alerts_are_believed_for_their_bearer_token(hooked: Served) -> None:
    body = (PAYLOADS / "alertmanager" / "alert.json").read_bytes()
    answers = [
        hooked.ask("POST", "/v1/hooks/alerts", body, {**JSON, "Authorization": f"Bearer {token}"})
        for token in (SECRET, "a guess that is long enough")
    ]
    assert [one.status for one in answers] == [200, 401]
    assert answers[0].json()["task_id"] == "a1bc48475b20e73d@2020-02-06T00:17:58.432911368Z"


def test_an_unknown_connection_is_404_and_another_method_405(hooked: Served) -> None:
    assert deliver(hooked, issue(), to="nobody").status == 404
    assert hooked.ask("GET", "/v1/hooks/forge").status == 405


def test_what_is_too_large_or_no_json_is_refused_before_it_is_looked_at(hooked: Served) -> None:
    assert deliver(hooked, b"x" * ((1 << 20) + 1)).status == 413
    assert deliver(hooked, issue(), **{"Content-Type": "application/x-www-form-urlencoded"}).status == 415
    assert deliver(hooked, b"[" * 500).status == 400


def test_a_connection_whose_secret_is_missing_is_503_and_an_alert(hooked: Served) -> None:
    answer = deliver(hooked, issue(), to="broken")
    assert (answer.status, "missing" in answer.json()["detail"]) == (503, True)

    def raised() -> bool:
        alerts = hooked.ask("GET", "/v1/node/alerts").json()["alerts"]
        return any(one["name"] == "connection-unready" and "broken" in one["sentence"] for one in alerts)

    assert eventually(raised)


def test_a_secret_that_everybody_may_read_is_an_alert(hooked: Served) -> None:
    def raised() -> list[str]:
        alerts = hooked.ask("GET", "/v1/node/alerts").json()["alerts"]
        return [one["sentence"] for one in alerts if one["name"] == "secret-exposed" and "forge" in one["sentence"]]

    assert eventually(raised)
    assert raised()[0].endswith("forge: secret.")


def test_refused_deliveries_are_an_alert_until_a_good_one_comes(hooked: Served) -> None:
    def refused() -> bool:
        alerts = hooked.ask("GET", "/v1/node/alerts").json()["alerts"]
        return any(one["name"] == "hook-refused" and "answer" in one["sentence"] for one in alerts)

    deliver(hooked, issue(6), to="answer", secret="a guess that is long enough")
    assert eventually(refused)
    deliver(hooked, issue(6), to="answer")
    assert eventually(lambda: not refused())


def test_what_becomes_of_deliveries_is_counted(hooked: Served) -> None:
    deliver(hooked, issue(8))
    text = hooked.ask("GET", "/metrics").body.decode()
    assert 'holdfast_hooks_total{connection="forge",outcome="scored"}' in text


def test_connections_show_what_they_can_do_and_what_came_on_them(hooked: Served) -> None:
    deliver(hooked, issue(10))
    listed = hooked.ask("GET", "/v1/node/connections").json()["connections"]
    shown = {one["name"]: one for one in listed}
    forge = shown["forge"]
    assert (forge["dialect"], forge["built_from"], forge["writes"], forge["secrets"]) == ("github", "payloads", True, 2)
    assert forge["deliveries"]["scored"] >= 1
    assert forge["last_delivery_s"] < 60
    assert "missing" in shown["broken"]["fault"]


def test_the_command_line_lists_connections(hooked: Served) -> None:
    command = [sys.executable, "-m", "holdfast", "--config", hooked.config, "--data", hooked.data, "connections"]
    done = subprocess.run([*command, "list"], capture_output=True, text=True, timeout=60, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "connection",
        "alerts",
        "answer",
        "broken",
        "forge",
    ]
    assert SECRET not in done.stdout


def test_a_new_secret_is_taken_on_reload_and_the_old_one_is_not(tmp_path: Path) -> None:
    node = _served(tmp_path / "node", CONNECTIONS)
    try:
        (node.directory / "secret").write_text("a wholly new secret")
        node.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: deliver(node, issue(), to="answer", secret="a wholly new secret").status == 200)
        assert deliver(node, issue(), to="answer").status == 401
    finally:
        node.stop()


def test_what_was_acknowledged_is_known_after_sigkill(tmp_path: Path) -> None:
    node = _served(tmp_path / "node")
    try:
        first = deliver(node, issue(9)).json()
        node.stop(signal.SIGKILL)
        node.start()
        again = deliver(node, issue(9))
        assert (again.status, again.json()["decision_id"]) == (200, first["decision_id"])
    finally:
        node.stop()


def test_a_hundred_deliveries_are_each_answered_within_two_seconds(hooked: Served) -> None:
    slowest_s = 0.0
    for number in range(100, 200):
        begun_s = time.monotonic()
        assert deliver(hooked, issue(number)).status == 202
        slowest_s = max(slowest_s, time.monotonic() - begun_s)
    assert slowest_s < 2.0


def test_no_answer_shows_a_secret(hooked: Served) -> None:
    answers = [deliver(hooked, issue(), secret="wrong and long enough"), deliver(hooked, issue(), to="broken")]
    shown = b"".join(one.body for one in answers) + hooked.log_path.read_bytes()
    assert SECRET.encode() not in shown
    assert json.loads(answers[0].body)["status"] == 401


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 1000 + b"1" + b"}" * 1000], ids=["open", "whole"])
def test_a_deep_body_is_held_against_its_signature_before_it_is_looked_at(hooked: Served, deep: bytes) -> None:
    assert deliver(hooked, deep, secret="another one, that signs nothing").status == 401
    assert deliver(hooked, deep).status == 400
    assert hooked.ask("GET", "/livez").status == 200
