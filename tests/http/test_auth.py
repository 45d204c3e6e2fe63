"""Who may call what over the network, once the node has a token: every endpoint, every role, every scope."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.served import JSON, TICKET, Answer, Served, Start, eventually

ROLES = ("viewer", "operator", "approver", "admin")
SCORING = {
    "/v1/triage/score",
    "/v1/triage/score:batch",
    "/v1/embeddings",
    "/v2/models/{model}/infer",
    "/v2/models/{model}/versions/{version}/infer",
}
OPEN = {"/livez", "/readyz", "/v1/hooks/{connection}"}
EXCEPTIONS: Mapping[str, tuple[str, str]] = {
    "/metrics": ("viewer", "metrics"),
    "/v1/triage/decisions/{decision_id}/override": ("operator", "judge"),
    "/v1/triage/overrides": ("operator", "judge"),
}


def needed(method: str, template: str) -> tuple[str, str]:
    """What the documentation promises: showing takes a viewer, anything else an operator."""
    if template in SCORING:
        return "operator", "score"
    return EXCEPTIONS.get(template, ("viewer", "read") if method == "GET" else ("operator", "operate"))


class Guarded:
    """A node with a token of each role, and of each scope."""

    def __init__(self, node: Served) -> None:
        self.node = node
        self.open_endpoints = endpoints(node)
        self.secrets = {role: self.make(role, "--role", role) for role in ROLES}
        for scope in ("read", "score", "judge", "metrics", "operate"):
            self.secrets[f"only {scope}"] = self.make(f"only-{scope}", "--role", "operator", "--scope", scope)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        common = [sys.executable, "-m", "holdfast", "--config", str(self.node.config), "--data", str(self.node.data)]
        return subprocess.run([*common, *arguments], capture_output=True, text=True, timeout=30, check=False)

    def make(self, *arguments: str) -> str:
        made = self.command("token", "create", *arguments)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def ask(self, method: str, path: str, who: str = "", **headers: str) -> Answer:
        given = {**(JSON if method == "POST" else {}), **headers}
        if who:
            given["Authorization"] = f"Bearer {self.secrets.get(who, who)}"
        return self.node.ask(method, path, b"{}" if method == "POST" else None, given)


def endpoints(node: Served) -> list[tuple[str, str]]:
    paths: dict[str, Any] = node.ask("GET", "/openapi.json").json()["paths"]
    pages = [("GET", path) for path in ("/", "/docs", "/openapi.json")]
    described = [(method.upper(), template) for template, methods in paths.items() for method in methods]
    return sorted({*described, *pages})


def filled(template: str) -> str:
    return re.sub(r"\{\w+\}", "x", template)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    node = Served(tmp_path_factory.mktemp("guarded"))
    yield Guarded(node)
    node.stop()


def test_without_a_token_nothing_is_told_but_that_the_node_lives(guarded: Guarded) -> None:
    answers = {(method, path): guarded.ask(method, filled(path)) for method, path in guarded.open_endpoints}
    told = {path for (_, path), answer in answers.items() if answer.status != 401}
    assert told == OPEN & {path for _, path in guarded.open_endpoints}


def test_every_role_reaches_what_it_may_and_nothing_above(guarded: Guarded) -> None:
    wrong = []
    for method, template in guarded.open_endpoints:
        least = ROLES.index(needed(method, template)[0])
        for rank, role in enumerate(ROLES):
            status = guarded.ask(method, filled(template), role).status
            allowed = template in OPEN or rank >= least
            if (status in (401, 403)) == allowed and not (template in OPEN and status == 401):
                wrong.append((method, template, role, status))
    assert not wrong


def test_every_scope_reaches_its_own_endpoints_and_no_others(guarded: Guarded) -> None:
    wrong = []
    for method, template in guarded.open_endpoints:
        if template in OPEN:
            continue
        for scope in ("read", "score", "judge", "metrics", "operate"):
            status = guarded.ask(method, filled(template), f"only {scope}").status
            if (status != 403) != (needed(method, template)[1] == scope):
                wrong.append((method, template, scope, status))
    assert not wrong


def test_a_good_token_scores(guarded: Guarded) -> None:
    headers = {**JSON, "Authorization": f"bearer {guarded.secrets['operator']}"}
    assert guarded.node.ask("POST", "/v1/triage/score", json.dumps(TICKET).encode(), headers).status == 200


def test_a_refusal_says_what_is_wanted_in_both_words_a_client_may_know(guarded: Guarded) -> None:
    answer = guarded.ask("GET", "/")
    assert answer.status == 401
    assert "Bearer hf_" in answer.json()["detail"]
    assert "browser" in answer.json()["detail"]
    raw = guarded.node.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b'www-authenticate: Bearer realm="holdfast"\r\n' in raw
    assert b"www-authenticate: Basic" in raw


def test_a_browser_comes_in_with_the_token_as_password(guarded: Guarded) -> None:
    pair = base64.b64encode(f"anybody:{guarded.secrets['viewer']}".encode()).decode()
    assert guarded.node.ask("GET", "/", headers={"Authorization": f"Basic {pair}"}).status == 200


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer ",
        "Bearer hf_x",
        "Basic",
        "Basic !!!",
        "Basic eDp5",
        "Digest x",
        "hf_x",
        "\xff\xfe",
        "B" * 9000,
    ],
)
def test_a_header_that_is_none_is_401_and_never_500(guarded: Guarded, given: str) -> None:
    received = guarded.node.ask("GET", "/v1/node/status", headers={"Authorization": given})
    assert received.status in (401, 429)


def test_a_bearer_of_another_scheme_or_place_does_not_count(guarded: Guarded) -> None:
    secret = guarded.secrets["admin"]
    assert guarded.ask("GET", f"/v1/node/status?access_token={secret}").status == 401
    assert guarded.ask("GET", "/v1/node/status", **{"X-Api-Key": secret}).status == 401


def test_operator_verbs_stay_on_the_owner_s_socket_even_for_an_admin(guarded: Guarded) -> None:
    assert guarded.ask("POST", "/v1/operator/token.create", "admin").status == 404


def test_the_owner_s_commands_need_no_token(guarded: Guarded) -> None:
    listed = guarded.command("token", "list", "--json")
    assert {one["name"] for one in json.loads(listed.stdout)["tokens"]} >= set(ROLES)
    assert not any(secret in listed.stdout for secret in guarded.secrets.values())


def test_a_team_nobody_has_is_refused_before_a_token_sees_nothing_for_ever(guarded: Guarded) -> None:
    refused = guarded.command("token", "create", "typo", "--team", "netz")
    assert (refused.returncode, "under [teams] (none), found 'netz'" in refused.stderr) == (65, True)


def test_whom_the_node_talks_to_can_be_asked(guarded: Guarded) -> None:
    assert guarded.ask("GET", "/v1/node/outbound", "viewer").json()["hosts"] == []
    assert "allowed  nobody" in guarded.command("outbound").stdout


def test_a_proxy_may_stand_before_a_node_with_tokens(guarded: Guarded) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.1", "Via": "1.1 proxy"}
    assert guarded.ask("GET", "/v1/node/status", "viewer", **forwarded).status == 200
    assert guarded.ask("GET", "/v1/node/status", **forwarded).status == 401


def test_a_token_that_asks_too_often_is_429_with_a_time_and_others_are_not(guarded: Guarded) -> None:
    guarded.secrets["slow"] = guarded.make("slow", "--rate", "3")
    statuses = [guarded.ask("GET", "/v1/node/status", "slow") for _ in range(4)]
    assert [one.status for one in statuses] == [200, 200, 200, 429]
    assert 10 <= int(statuses[-1].headers["retry-after"]) <= 20
    assert guarded.ask("GET", "/v1/node/status", "viewer").status == 200


def test_failed_attempts_are_slowed_down_and_lock_nobody_out(guarded: Guarded) -> None:
    statuses = [guarded.ask("GET", "/v1/node/status", "hf_wrong").status for _ in range(40)]
    assert statuses[-1] == 429
    assert set(statuses) <= {401, 429}
    assert guarded.ask("GET", "/v1/node/status", "viewer").status == 200


def test_no_secret_reaches_log_or_disk(guarded: Guarded) -> None:
    guarded.ask("GET", "/v1/node/status", "viewer")
    log = guarded.node.log_path.read_bytes()
    kept = b"".join(path.read_bytes() for path in guarded.node.data.rglob("*") if path.is_file())
    assert not [name for name, secret in guarded.secrets.items() if secret.encode() in log + kept]


def test_the_log_names_whose_token_asked_also_where_it_is_refused(guarded: Guarded) -> None:
    asked = {"only metrics": 403, "viewer": 200}
    ids = {guarded.ask("GET", "/v1/node/status", name).headers["x-request-id"]: name for name in asked}
    ids[guarded.ask("GET", "/v1/node/status").headers["x-request-id"]] = ""

    def told() -> dict[str, str]:
        lines = [one for one in guarded.node.events("request") if one["request_id"] in ids]
        return {ids[one["request_id"]]: one.get("caller", "") for one in lines}

    assert eventually(lambda: len(told()) == len(ids))
    assert told() == {"only metrics": "token only-metrics", "viewer": "token viewer", "": ""}


def test_making_and_revoking_counts_from_the_next_request_and_is_recorded(start: Start) -> None:
    node = start()
    assert node.ask("GET", "/v1/node/status").status == 200
    one = Guarded(node)
    assert node.ask("GET", "/v1/node/status").status == 401
    assert one.command("token", "revoke", "viewer").returncode == 0
    assert one.ask("GET", "/v1/node/status", "viewer").status == 401
    shown = one.command("ledger", "show", "--kind", "token", "--json")
    assert len(json.loads(shown.stdout)["entries"]) == len(one.secrets) + 1


def test_tokens_outlive_a_restart_and_can_be_made_without_a_node(start: Start, tmp_path: Path) -> None:
    node = start()
    node.stop()
    secret = Guarded.make(_offline(node), "early", "--role", "viewer")
    node.start()
    assert node.ask("GET", "/v1/node/status").status == 401
    assert node.ask("GET", "/v1/node/status", headers={"Authorization": f"Bearer {secret}"}).status == 200


def test_a_token_is_durable_before_it_is_shown(start: Start) -> None:
    node = start()
    secret = Guarded.make(_offline(node), "sudden", "--role", "viewer")
    node.stop(signal.SIGKILL)
    node.start()
    assert node.ask("GET", "/v1/node/status").status == 401
    assert node.ask("GET", "/v1/node/status", headers={"Authorization": f"Bearer {secret}"}).status == 200


def _offline(node: Served) -> Guarded:
    one = Guarded.__new__(Guarded)
    one.node = node
    return one
