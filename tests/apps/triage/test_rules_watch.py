"""A rule file edited while the node runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.apps.triage.rules_watch import RulesWatch, read_rules

RULE = "[[rule]]\nname = '{}'\nwhen = {{ field = 'id', exists = true }}\nfloor = 1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "rules.toml"
    found.write_text(RULE.format("old"))
    return found


@pytest.fixture
def watch(path: Path) -> RulesWatch:
    return RulesWatch(path, read_rules(path))


def names(watch: RulesWatch) -> list[str]:
    return [rule.name for rule in watch.rules.rules]


def test_a_good_edit_is_taken_once_it_lies_still(watch, path) -> None:
    path.write_text(RULE.format("new"))
    assert [watch.step(), watch.step(), watch.step()] == [False, True, False]
    assert names(watch) == ["new"]


def test_a_bad_edit_leaves_the_old_rules_and_is_reported_with_its_line(watch, path) -> None:
    path.write_text(RULE.format("new") + "[[rule]]\nname = 3\n")
    assert not any([watch.step(), watch.step(), watch.step()])
    (finding,) = watch.findings()
    assert names(watch) == ["old"]
    assert f"{path}:6" in finding.sentence


def test_all_rules_of_an_edit_are_taken_or_none(watch, path) -> None:
    path.write_text(RULE.format("good") + RULE.format("good"))
    watch.step()
    watch.step()
    assert names(watch) == ["old"]


def test_a_mended_file_clears_the_finding(watch, path) -> None:
    path.write_text("[[")
    watch.step(), watch.step()
    assert watch.findings()
    path.write_text(RULE.format("mended"))
    watch.step(), watch.step()
    assert (watch.findings(), names(watch)) == ((), ["mended"])


def test_a_file_that_is_still_being_written_is_never_read(watch, path) -> None:
    path.write_text("")
    assert not watch.step()
    path.write_text(RULE.format("whole"))
    assert not watch.step()
    assert names(watch) == ["old"]
    assert watch.step()
    assert names(watch) == ["whole"]


def test_a_file_replaced_by_rename_is_seen(watch, path) -> None:
    other = path.with_suffix(".new")
    other.write_text(RULE.format("ren"))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert [watch.step(), watch.step()] == [False, True]
    assert names(watch) == ["ren"]


def test_a_file_that_vanishes_is_reported_and_its_rules_stay(watch, path) -> None:
    path.unlink()
    watch.step(), watch.step()
    assert watch.findings()
    assert names(watch) == ["old"]


def test_an_edit_of_comments_is_no_change(watch, path) -> None:
    path.write_text("# a remark\n" + RULE.format("old"))
    assert not any([watch.step(), watch.step()])
    assert watch.findings() == ()
