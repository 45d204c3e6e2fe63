"""Anybody can prove that a ticket was not learnt from."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.workbench.training_list import (
    DamagedTrainingList,
    list_digest,
    read_training_list,
    text_digest,
    write_training_list,
)


def test_a_text_that_was_learnt_is_recognised_whatever_its_case_and_spacing(tmp_path: Path) -> None:
    write_training_list(tmp_path / "list", ["Mail is down.", "Printer jam"])
    seen = read_training_list(tmp_path / "list")
    assert text_digest("MAIL  is\ndown") in seen
    assert text_digest("Mail is up") not in seen


def test_the_list_says_nothing_of_order_or_number_of_copies(tmp_path: Path) -> None:
    digest = write_training_list(tmp_path / "list", ["a b", "c d", "A, b"])
    assert digest == list_digest(["c d", "a b"])


@pytest.mark.parametrize("content", ["not a digest\n", "ffffffffffffffff\n0000000000000000\n"])
def test_a_list_that_was_edited_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "list").write_text(content)
    with pytest.raises(DamagedTrainingList, match="rising order"):
        read_training_list(tmp_path / "list")


def test_a_list_of_another_package_is_refused(tmp_path: Path) -> None:
    write_training_list(tmp_path / "list", ["a b"])
    with pytest.raises(DamagedTrainingList, match="expected the training list sha256:"):
        read_training_list(tmp_path / "list", expected=list_digest(["c d"]))
