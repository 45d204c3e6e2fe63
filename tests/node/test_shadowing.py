"""Scoring in shadow: everything once, whatever ends in between, and nothing of what was erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.apps.triage.experiments import SHADOW, Candidate, Experiment
from holdfast.apps.triage.shadow import unpack_shadow
from holdfast.ledger.query import Query
from holdfast.node.node import Node
from holdfast.node.shadowing import Shadowing
from holdfast.node.verbs import run_verb
from tests.node.workshop import node_at

CALMER = Experiment(name="calmer", mode="shadow", candidate=Candidate(bands={"p0": 60.0, "p1": 30.0, "p2": 20.0}))


class PowerCut(BaseException):
    """Nothing of the process goes on after it."""


def score(node: Node, *tasks: str, **metadata: object) -> None:
    for task in tasks:
        run_verb(node, "triage.score", {"ticket": {"id": task, "title": "database is down", "metadata": metadata}})


def catch_up(node: Node) -> None:
    Shadowing(node, node.parts.experiments).step()


def shadowed(node: Node) -> list[str]:
    entries = node.state.journal.list(Query(kinds=(SHADOW,), limit=500)).entries
    return sorted(unpack_shadow(one.payload).task_id for one in entries if one.payload is not None)


def test_every_decision_after_the_start_is_shadowed_once_over_restarts(tmp_path: Path) -> None:
    with node_at(tmp_path) as node:
        score(node, "before")
        node.parts.experiments.begin(CALMER, by="emily")
        score(node, "T-1", "T-2")
        catch_up(node)
    with node_at(tmp_path) as node:
        node.load_here()
        score(node, "T-3")
        catch_up(node)
        catch_up(node)
        assert shadowed(node) == ["T-1", "T-2", "T-3"]


def test_a_power_cut_before_the_shadow_is_durable_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_given: object, **_named: object) -> None:
        raise PowerCut

    with node_at(tmp_path) as node:
        node.parts.experiments.begin(CALMER, by="emily")
        score(node, "T-1", "T-2")
        with monkeypatch.context() as patched:
            patched.setattr(node.state.facts, "put", cut)  # the last statement of the unit: the cursor
            with pytest.raises(PowerCut):
                catch_up(node)
    with node_at(tmp_path) as node:
        node.load_here()
        catch_up(node)
        assert shadowed(node) == ["T-1", "T-2"]


def test_another_teams_tickets_and_erased_ones_are_left_alone(tmp_path: Path) -> None:
    with node_at(tmp_path, "[teams.cloud]\n") as node:
        node.parts.experiments.begin(CALMER, by="emily")
        score(node, "T-1", "T-gone")
        score(node, "T-cloud", team="cloud")
        node.state.journal.erase("T-gone")
        catch_up(node)
        assert shadowed(node) == ["T-1"]


def test_erasing_a_task_takes_its_shadow_with_it(tmp_path: Path) -> None:
    with node_at(tmp_path) as node:
        node.parts.experiments.begin(CALMER, by="emily")
        score(node, "T-1", "T-2")
        catch_up(node)
        node.state.journal.erase("T-1")
        assert shadowed(node) == ["T-2"]
        assert run_verb(node, "experiment.status", {"name": "calmer"}).tasks == 1
