"""Trying rules on a fixture table, with the rubric of the configuration."""

from __future__ import annotations

from pathlib import Path

from holdfast.apps.triage.keywords import KeywordMatcher
from holdfast.apps.triage.rules_cases import CaseResult, read_cases, run_case
from holdfast.apps.triage.rules_file import InvalidRules, RuleSet, parse_rules, read_table
from holdfast.apps.triage.rules_watch import read_rules
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from holdfast.settings.rubric import rubric_of
from holdfast.settings.tree import Settings

__all__ = ["run_table"]


def run_table(file: Path, rules_file: Path | None, settings: Settings) -> list[CaseResult]:
    """Run every case of `file`. Raises InvalidRules for rules or cases that cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRules(f"{file}: expected a fixture table in UTF-8, found: {error}") from error
    rules = _rules(file, text, rules_file)
    rubric = rubric_of(settings.triage)
    matcher = KeywordMatcher(read_builtin_vocabulary(rubric.languages), extra=rubric.keywords)
    policy = Policy(rubric, matcher, rules)
    return [run_case(case, policy) for case in read_cases(text, name=str(file))]


def _rules(file: Path, text: str, given: Path | None) -> RuleSet:
    if given is not None:
        return read_rules(given)
    named = read_table(text, name=str(file)).get("rules")
    if isinstance(named, str):
        return read_rules(file.parent / named)
    return parse_rules(text, name=str(file))
