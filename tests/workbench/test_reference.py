"""The reference package is built once, again when it is damaged, and never scored on what it learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from holdfast.manifest import Manifest
from holdfast.workbench import reference
from holdfast.workbench.bundled import DATA_DIR
from holdfast.workbench.plan import HeadPlan, Inputs, TrainingPlan
from holdfast.workbench.planning import training_digest
from holdfast.workbench.reference import (
    LearntFromHeldOut,
    ReferencePackage,
    build_reference_package,
    find_reference_package,
    main,
    reference_plan,
    unseen_tickets,
)
from holdfast.workbench.training_list import TRAINING_LIST, text_digest, write_training_list


@pytest.fixture(scope="module")
def plan() -> tuple[TrainingPlan, Inputs]:
    return reference_plan(None)


def _fewer(head: HeadPlan) -> HeadPlan:
    return replace(head, train=head.train[::50], held=head.held[::50])


@pytest.fixture
def built(
    tmp_path: Path, plan: tuple[TrainingPlan, Inputs], monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, ReferencePackage, list[int]]:
    """The reference package from one ticket in fifty, where it lies, and how often it was trained."""
    heads = tuple(_fewer(head) for head in plan[0].heads)
    recipe = {**plan[0].recipe, TRAINING_LIST: training_digest(heads)}
    small = replace(plan[0], heads=heads, recipe=recipe, background=())
    trained: list[int] = []
    real = reference.run
    monkeypatch.setattr(reference, "fetch_public_weights", lambda cache: cache)
    monkeypatch.setattr(reference, "reference_plan", lambda *_, **__: (small, plan[1]))
    monkeypatch.setattr(reference, "run", lambda *args, **more: (trained.append(1), real(*args, **more))[1])
    return tmp_path, build_reference_package(tmp_path, tmp_path / "cache"), trained


def test_thousands_of_tickets_of_each_head_are_never_learnt_from(plan: tuple[TrainingPlan, Inputs]) -> None:
    for head in plan[0].heads:
        learnt = {text_digest(ticket.text) for ticket in head.train}
        assert len(head.held) >= 4_000
        assert not [ticket.where for ticket in head.held if text_digest(ticket.text) in learnt]


def test_only_data_that_may_be_copied_without_condition_is_learnt_from(plan: tuple[TrainingPlan, Inputs]) -> None:
    assert set(plan[0].licences) == {"CC0-1.0", "US Government work"}


def test_what_is_built_is_found_again_and_not_trained_twice(built: tuple[Path, ReferencePackage, list[int]]) -> None:
    place, package, trained = built
    assert build_reference_package(place, place / "cache").digest == package.digest
    assert trained == [1]


@pytest.mark.parametrize("part", ["triage-en-1.0.0.tar", "report/training-list.txt"])
def test_one_flipped_bit_in_package_or_training_list_builds_it_again(
    built: tuple[Path, ReferencePackage, list[int]], part: str
) -> None:
    place, package, trained = built
    content = bytearray((place / part).read_bytes())
    content[len(content) // 2] ^= 1
    (place / part).write_bytes(content)
    assert find_reference_package(place) is None
    assert build_reference_package(place, place / "cache").digest == package.digest
    assert trained == [1, 1]


def test_a_package_made_from_another_plan_is_not_taken_for_this_one(
    built: tuple[Path, ReferencePackage, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _, _ = built
    assert find_reference_package(place) is not None
    monkeypatch.setattr(reference, "_LIFT", {"LOW": 0.7})
    assert find_reference_package(place) is None


def test_every_unseen_ticket_is_proved_unseen_and_one_seen_stops_everything(
    built: tuple[Path, ReferencePackage, list[int]],
) -> None:
    _, package, _ = built
    unseen = unseen_tickets(package)
    assert len(unseen) > 10_000
    digest = write_training_list(package.reports.training_list, [unseen[3].text])
    recipe = {**package.manifest.provenance.recipe, TRAINING_LIST: digest}
    manifest = _with_recipe(package, recipe)
    with pytest.raises(LearntFromHeldOut, match="1 held-out tickets were learnt from"):
        unseen_tickets(replace(package, manifest=manifest))


def _with_recipe(package: ReferencePackage, recipe: dict[str, str]) -> Manifest:
    provenance = msgspec.structs.replace(package.manifest.provenance, recipe=recipe)
    return msgspec.structs.replace(package.manifest, provenance=provenance)


def test_without_the_bundled_tickets_the_command_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "fetch_public_weights", lambda cache: cache)
    code = main(["--out", str(tmp_path), "--cache", str(tmp_path), "--data-dir", str(tmp_path)])
    assert code == 65
    assert "--data-dir" in capsys.readouterr().err
    assert (DATA_DIR / "SHA256SUMS").is_file()
