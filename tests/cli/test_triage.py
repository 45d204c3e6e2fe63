"""`holdfast triage score`, `replay` and `rules` on a data directory that no node owns."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from holdfast.apps.triage.rules_watch import example_rules
from holdfast.cli.main import main

OUTAGE = {"id": "T-7", "title": "Production database is down", "description": "customers cannot check out"}
FAILING = (
    "[[rule]]\nname = 'a'\nwhen = { field = 'id', exists = true }\ncap = 1\n"
    "[[case]]\nname = 'wants more'\nticket = { title = 'x' }\nexpect = { at_least = 50 }\n"
)


@pytest.fixture
def holdfast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = main(["--data", str(tmp_path / "state"), "triage", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def ticket(tmp_path: Path) -> str:
    path = tmp_path / "ticket.json"
    path.write_text(json.dumps(OUTAGE))
    return str(path)


def test_a_ticket_from_a_file_is_scored_and_explained(holdfast, ticket) -> None:
    code, out, _ = holdfast("score", "--ticket", ticket)
    assert code == 0
    assert out.startswith("T-7  ")
    assert "database + is down" in out


def test_a_ticket_from_standard_input_gives_the_reply_as_json(holdfast) -> None:
    code, out, _ = holdfast("score", "--ticket", "-", "--json", stdin=json.dumps(OUTAGE))
    decision = json.loads(out)
    assert (code, decision["task_id"], decision["recorded"]) == (0, "T-7", True)
    assert decision["served_by"]["package"] == "builtin"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"title":"no id"}', '{"id":"1","title":"t","metadata":{"deadline_at":"soon"}}']
)
def test_what_is_no_ticket_exits_65_with_one_line(holdfast, text: str) -> None:
    code, out, err = holdfast("score", "--ticket", "-", stdin=text)
    assert (code, out) == (65, "")
    assert err.count("\n") == 1


def test_a_decision_is_replayed_from_its_reply(holdfast, ticket, tmp_path: Path) -> None:
    decision = json.loads(holdfast("score", "--ticket", ticket, "--json")[1])
    lines = tmp_path / "decisions.jsonl"
    lines.write_text(f"{json.dumps(decision)}\n{decision['decision_id']}\n")
    code, out, _ = holdfast("replay", str(lines))
    assert code == 0
    assert out.count("the same bytes") == 2


def test_a_decision_that_was_erased_exits_69_naming_what_is_gone(holdfast, ticket, tmp_path: Path) -> None:
    decision = json.loads(holdfast("score", "--ticket", ticket, "--json")[1])
    assert main(["--data", str(tmp_path / "state"), "ledger", "erase", "--task", "T-7", "--yes"]) == 0
    code, _, err = holdfast("replay", decision["decision_id"])
    assert code == 69
    assert "ticket, reasons and hashes are gone" in err


def test_a_decision_nobody_made_exits_65(holdfast, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    assert holdfast("replay", "dec_00000000000000000000000000")[0] == 65


def test_the_rules_to_begin_with_pass_their_own_table(holdfast, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(example_rules())
    assert "2 rules" in holdfast("rules", "check", str(path))[1]
    code, out, _ = holdfast("rules", "test", str(path))
    assert code == 0
    assert out.endswith("5 cases, 0 failed\n")


def test_a_failing_case_exits_65_and_says_why(holdfast, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(FAILING)
    code, out, _ = holdfast("rules", "test", str(path))
    assert code == 65
    assert "FAIL  wants more" in out
    assert "at_least: expected 50.0, found 1.0" in out


def test_cases_may_stand_apart_from_the_rules_they_try(holdfast, tmp_path: Path) -> None:
    rules, _, cases = FAILING.partition("[[case]]")
    (tmp_path / "rules.toml").write_text(rules)
    (tmp_path / "named.toml").write_text(f"rules = 'rules.toml'\n[[case]]{cases}")
    (tmp_path / "given.toml").write_text(f"[[case]]{cases}")
    assert "found 1.0" in holdfast("rules", "test", str(tmp_path / "named.toml"))[1]
    assert "found 1.0" in holdfast("rules", "test", "given.toml", "--rules", str(tmp_path / "rules.toml"))[1]


def test_a_broken_rule_file_exits_65_with_file_and_line(holdfast, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[rule]]\nname = 'a'\nwhen = { field = 'titel', equals = 'x' }\ncap = 1\n")
    code, _, err = holdfast("rules", "check", str(path))
    assert code == 65
    assert f"{path}:3: rule 'a': " in err
    assert "did you mean 'title'" in err


def test_an_approximate_answer_is_called_so(holdfast, ticket, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plain, _ = holdfast("score", "--ticket", ticket, "--json")
    decision = json.loads(plain)
    said = {**decision, "served_by": {**decision["served_by"], "approximate": True}}
    for answer, is_said in ((decision, False), (said, True)):
        monkeypatch.setattr("holdfast.cli.triage.call", lambda _verb, _asked, answer=answer: answer)
        assert ("approximate" in holdfast("score", "--ticket", ticket)[1]) == is_said


def test_decisions_are_listed_newest_first_and_page_by_page(holdfast, ticket) -> None:
    for _ in range(3):
        holdfast("score", "--ticket", ticket)
    code, out, _ = holdfast("decisions", "--limit", "2")
    assert (code, out.count("T-7  "), "more: --cursor c" in out) == (0, 2, True)
    cursor = out.split("--cursor ")[1].strip()
    rest = json.loads(holdfast("decisions", "--cursor", cursor, "--json")[1])
    assert [one["decision"]["task_id"] for one in rest["decisions"]] == ["T-7"]
    assert json.loads(holdfast("decisions", "--priority", "P3", "--json")[1])["decisions"] == []
