"""A promotion cut short at any step is asked for again, and can be taken back to what was before it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.apps.triage.experiments import Candidate, Experiment, InvalidExperiment
from holdfast.node import promotion
from holdfast.node.experiments import Experiments
from holdfast.node.log import Log
from holdfast.node.node import Node
from holdfast.node.promotion import promote, roll_back
from holdfast.settings.loading import InvalidSettings, Loaded, Sources, load
from holdfast.settings.place import PROMOTED

RULES = "[[rule]]\nname='all'\nwhen={field='id',exists=true}\nfloor=95\n"
CANDIDATE = Candidate(weights={"model": 0.4, "keywords": 0.25}, bands={"p0": 85.0}, rules=RULES)
STEPS = 5  # rules written, promoting kept, settings written, promoted kept; the range ends before it


class PowerCut(BaseException):
    """Nothing of the process goes on after it."""


@contextmanager
def node_at(directory: Path) -> Iterator[Node]:
    """A node that is not started, with the settings that a start would read."""

    def read() -> Loaded:
        promoted = directory / PROMOTED
        return load(Sources(promoted=promoted if promoted.exists() else None))

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        node = Node(read(), directory, log=Log(nowhere), reread=read)
        try:
            yield node
        finally:
            node.stop()
            node.log.settle()


def begin(node: Node, name: str = "better", candidate: Candidate = CANDIDATE) -> None:
    node.parts.experiments.begin(Experiment(name=name, mode="shadow", candidate=candidate), by="emily")


def in_force(node: Node) -> tuple[float, float, int]:
    policy = node.active.policy
    return policy.rubric.weights.model, policy.rubric.bands.p0, len(policy.rules.rules)


BEFORE, AFTER = (0.6, 90.0, 0), (0.4, 85.0, 1)


@contextmanager
def cut_at(step: int, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> Iterator[None]:
    """The power fails just before or just after the durable step of this number."""
    done = 0

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done == step and not after:
                raise PowerCut
            result = call(*given, **named)
            if done == step:
                raise PowerCut
            return result

        return counted

    with monkeypatch.context() as patched:
        patched.setattr(promotion, "write_durably", counting(promotion.write_durably))
        patched.setattr(Experiments, "keep", counting(Experiments.keep))
        yield


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_promotion_cut_short_is_finished_by_asking_again_and_taken_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, after: bool
) -> None:
    with node_at(tmp_path) as node:
        begin(node)
        with cut_at(step, monkeypatch, after=after), pytest.raises(PowerCut):
            promote(node, "better", by="emily")
    with node_at(tmp_path) as node:
        assert in_force(node) in (BEFORE, AFTER)
        if node.parts.experiments.find("better").state != "promoted":
            promote(node, "better", by="emily")
        assert in_force(node) == AFTER
    with node_at(tmp_path) as node:
        assert in_force(node) == AFTER
        roll_back(node, by="emily")
        assert in_force(node) == BEFORE
        assert not (tmp_path / PROMOTED).exists()


def test_one_promotion_builds_on_the_other_and_they_are_taken_back_in_turn(tmp_path: Path) -> None:
    with node_at(tmp_path) as node:
        begin(node, "first", Candidate(bands={"p0": 85.0}))
        promote(node, "first", by="emily")
        begin(node, "second", Candidate(bands={"p0": 80.0, "p1": 60.0}))
        promote(node, "second", by="emily")
        assert (node.active.policy.rubric.bands.p0, node.active.policy.rubric.bands.p1) == (80.0, 60.0)
        assert roll_back(node, by="emily").name == "second"
        assert (node.active.policy.rubric.bands.p0, node.active.policy.rubric.bands.p1) == (85.0, 70.0)
        assert roll_back(node, by="emily").name == "first"
        with pytest.raises(InvalidExperiment, match="nothing to take back"):
            roll_back(node, by="emily")


def test_what_is_promoted_cannot_be_stopped_as_if_that_took_it_back(tmp_path: Path) -> None:
    with node_at(tmp_path) as node:
        begin(node)
        promote(node, "better", by="emily")
        with pytest.raises(InvalidExperiment, match="found it promoted"):
            node.parts.experiments.end("better", by="emily")
        assert in_force(node) == AFTER


def test_promoted_rules_go_where_the_data_directory_is_moved_to(tmp_path: Path) -> None:
    with node_at(tmp_path / "here") as node:
        begin(node)
        promote(node, "better", by="emily")
    (tmp_path / "here").rename(tmp_path / "there")
    with node_at(tmp_path / "there") as node:
        assert in_force(node) == AFTER


def test_a_candidate_that_no_longer_fits_the_settings_is_not_promoted(tmp_path: Path) -> None:
    with node_at(tmp_path) as node:
        begin(node, "first", Candidate(bands={"p1": 85.0}))
        node.parts.experiments.end("first", by="emily")
        begin(node, "second", Candidate(bands={"p0": 80.0}))
        promote(node, "second", by="emily")
        with pytest.raises(InvalidSettings, match="p2 < p1 < p0"):
            promote(node, "first", by="emily")
        assert (node.active.policy.rubric.bands.p0, node.active.policy.rubric.bands.p1) == (80.0, 70.0)
        roll_back(node, by="emily")
        promote(node, "first", by="emily")
        assert (node.active.policy.rubric.bands.p0, node.active.policy.rubric.bands.p1) == (90.0, 85.0)


def test_experiments_go_on_after_a_restart_and_their_draws_are_the_same(tmp_path: Path) -> None:
    with node_at(tmp_path) as node:
        node.parts.experiments.begin(
            Experiment(name="half", mode="ab", candidate=Candidate(bands={"p0": 85.0})), by="emily"
        )
        before = [node.parts.experiments.assigned(node.active, f"T-{n}").arm for n in range(50)]
    with node_at(tmp_path) as node:
        node.load_here()
        assert [node.parts.experiments.assigned(node.active, f"T-{n}").arm for n in range(50)] == before
        assert set(before) == {"half/control", "half/candidate"}
