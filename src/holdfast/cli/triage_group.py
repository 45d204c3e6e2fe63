"""`holdfast triage`: the commands of the triage app, each imported when it runs."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.cli.main import LazyGroup

__all__ = ["TRIAGE_COMMANDS", "triage"]

TRIAGE_COMMANDS: Mapping[str, tuple[str, str]] = {
    "train": ("holdfast.cli.triage_train:train", "Train a package on your own tickets."),
    "score": ("holdfast.cli.triage:score", "Score one ticket and record the decision."),
    "decisions": ("holdfast.cli.triage_decisions:decisions", "What was decided lately, and what people made of it."),
    "replay": ("holdfast.cli.triage:replay", "Derive past decisions again, or try a history."),
    "similar": ("holdfast.cli.triage_similar:similar", "Find earlier tickets that resemble one."),
    "teams": ("holdfast.cli.triage:teams", "Which package and rules answer each team."),
    "rules": ("holdfast.cli.triage:rules", "Check rule files, run their fixture tables."),
    "why": ("holdfast.cli.triage_reports:why", "Why a task has the priority it has."),
    "overrides": ("holdfast.cli.triage_reports:overrides", "People's corrections, as labelled tickets."),
    "accuracy": ("holdfast.cli.triage_reports:accuracy", "How often people let a priority stand."),
    "pilot": ("holdfast.cli.pilot:pilot", "What some days of the node's work did for a team."),
    "drift": ("holdfast.cli.triage_reports:drift", "Is each package still asked what it was made for?"),
    "experiment": ("holdfast.cli.experiment:experiment", "Try other weights, rules or packages, and compare."),
    "evaluate": ("holdfast.cli.triage_evaluate:evaluate", "Judge a package on labelled tickets."),
}

triage = LazyGroup(name="triage", table=TRIAGE_COMMANDS, help="Train, score, replay.")
