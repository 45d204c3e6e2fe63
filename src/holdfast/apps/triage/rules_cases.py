"""Fixture tables for rules: tickets with what the rules are expected to make of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.apps.triage.decision import Assessment, Priority
from holdfast.apps.triage.rules_file import InvalidRules, plain_values, read_table
from holdfast.apps.triage.scoring import Lens, Policy, prepare, score
from holdfast.apps.triage.ticket import InvalidTicket, Ticket, check_ticket
from holdfast.inference import Domain, HeadOutput, Stage, TextOutput

__all__ = ["Case", "CaseResult", "Expectation", "read_cases", "run_case"]

_OFF = 0.005  # scores are written with two decimals


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"not_fired": "not"}):
    """What a case wants; what it leaves out may be anything."""

    fired: tuple[str, ...] | None = None
    """Exactly these rules, in this order."""
    not_fired: tuple[str, ...] = ()
    score: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    priority: Priority | None = None
    route: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ticket of a fixture table."""

    name: str
    ticket: dict[str, Any]
    """As sent to the node; `id` may be left out."""
    expect: Expectation
    at: datetime = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    model: float = 0.3
    """The urgency the model is taken to have said."""
    domain: Domain = Domain.IN
    """What the model is taken to think of the text."""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a case went; no wrongs means that it passed."""

    name: str
    wrongs: tuple[str, ...]
    score: float
    priority: Priority
    route: str
    fired: tuple[str, ...]


class _Urgency(msgspec.Struct, frozen=True):
    """A head that says one number, so that rules are tested without a model."""

    name: str = "model"
    labels: tuple[str, ...] = ("calm", "urgent")
    urgency: tuple[float, ...] = (0.0, 1.0)


def read_cases(text: str, *, name: str) -> tuple[Case, ...]:
    """Read the [[case]] tables of a file. Raises InvalidRules naming the case."""
    raw = read_table(text, name=name).get("case", [])
    if not isinstance(raw, list) or not raw:
        raise InvalidRules(f"{name}: expected [[case]] tables, found none")
    cases: list[Case] = []
    for number, one in enumerate(raw, start=1):
        try:
            cases.append(msgspec.convert(_with_texts(one), Case))
        except msgspec.ValidationError as error:
            title = one.get("name", number) if isinstance(one, dict) else number
            raise InvalidRules(f"{name}: case {title!r}: {error}") from error
    return tuple(cases)


def run_case(case: Case, policy: Policy) -> CaseResult:
    """Score the case's ticket under `policy` and compare."""
    try:
        ticket = msgspec.convert({"id": "case", **case.ticket}, Ticket)
        check_ticket(ticket)
        at = case.at if case.at.tzinfo else case.at.replace(tzinfo=policy.rubric.zone)
        prepared = prepare(ticket, policy.rubric, now=at)
    except (msgspec.ValidationError, InvalidTicket) as error:
        return CaseResult(
            name=case.name, wrongs=(f"ticket: {error}",), score=0.0, priority=Priority.P3, route="", fired=()
        )
    head = _Urgency()
    said = HeadOutput(probabilities=(1.0 - case.model, case.model), stage=Stage.NGRAM, domain=case.domain)
    assessment = score(prepared, TextOutput(heads={head.name: said}), lens=Lens(head, None), policy=policy)
    fired = tuple(c.name.removeprefix("rule:") for c in assessment.contributions if c.name.startswith("rule:"))
    return CaseResult(
        name=case.name,
        wrongs=tuple(_wrongs(case.expect, assessment, fired)),
        score=assessment.score,
        priority=assessment.priority,
        route=assessment.route.label,
        fired=fired,
    )


def _wrongs(wanted: Expectation, found: Assessment, fired: tuple[str, ...]) -> list[str]:
    said = {
        "fired": (wanted.fired is None or wanted.fired == fired, wanted.fired, fired),
        "not": (not set(wanted.not_fired) & set(fired), wanted.not_fired, fired),
        "score": (wanted.score is None or abs(wanted.score - found.score) <= _OFF, wanted.score, found.score),
        "at_least": (wanted.at_least is None or found.score >= wanted.at_least, wanted.at_least, found.score),
        "at_most": (wanted.at_most is None or found.score <= wanted.at_most, wanted.at_most, found.score),
        "priority": (wanted.priority in (None, found.priority), wanted.priority, found.priority),
        "route": (wanted.route in (None, found.route.label), wanted.route, found.route.label),
    }
    return [f"{key}: expected {_words(want)}, found {_words(got)}" for key, (ok, want, got) in said.items() if not ok]


def _words(value: object) -> str:
    return ", ".join(str(item) for item in value) or "none" if isinstance(value, tuple) else str(value)


def _with_texts(case: object) -> object:
    """Instants inside a ticket are texts there; the case's own `at` stays an instant."""
    if not isinstance(case, dict):
        return case
    return {key: value if key == "at" else plain_values(value) for key, value in case.items()}
