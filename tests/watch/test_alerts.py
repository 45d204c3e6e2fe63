"""Alerts are raised, kept and cleared, and told."""

from __future__ import annotations

import json

import pytest

from holdfast.finding import Finding, Severity
from holdfast.measure import Measures
from holdfast.watch.alerts import AlertLimits, Alerts
from tests.runtime.tiny import clock


def finding(name: str, severity: Severity = Severity.WARNING, sentence: str = "It is so.") -> Finding:
    return Finding(name=name, severity=severity, sentence=sentence, next_step="Do this.", component="test")


class Desk:
    """Alerts with a file and a log that can be read."""

    def __init__(self, directory) -> None:
        self.file, self.lines, self.measures = directory / "alerts.json", [], Measures()
        limits = AlertLimits(file=self.file)
        self.alerts = Alerts(clock, self.measures, limits, tell=lambda severity, line: self.lines.append(line))

    def names(self) -> list[str]:
        return [alert["finding"]["name"] for alert in json.loads(self.file.read_text())["alerts"]]


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


def test_the_file_holds_what_is_raised_now_worst_first(desk) -> None:
    desk.alerts.hold([finding("b"), finding("a"), finding("z", Severity.CRITICAL)])
    assert desk.names() == ["z", "a", "b"]
    desk.alerts.hold([])
    assert desk.names() == []


def test_each_change_is_told_once(desk) -> None:
    changes = [desk.alerts.hold(findings) for findings in ([finding("a")], [finding("a")], [], [])]
    assert changes == [True, False, True, False]
    assert desk.lines == ["raised a: It is so. Do this.", "cleared a"]


def test_an_alert_keeps_its_beginning_while_its_words_change(desk) -> None:
    desk.alerts.hold([finding("a", sentence="One.")])
    since = desk.alerts.raised[0].since
    desk.alerts.hold([finding("a", sentence="Two.")])
    assert (desk.alerts.raised[0].since, desk.alerts.raised[0].finding.sentence) == (since, "Two.")


def test_of_findings_with_one_name_the_worst_speaks(desk) -> None:
    desk.alerts.hold([finding("a", Severity.NOTICE), finding("a", Severity.CRITICAL), finding("a")])
    assert [alert.finding.severity for alert in desk.alerts.raised] == [Severity.CRITICAL]


def test_metrics_show_what_is_raised_and_nothing_else(desk) -> None:
    desk.alerts.hold([finding("a"), finding("b")])
    desk.alerts.hold([finding("b")])
    assert desk.measures.numbers()["alerts_active"] == {("b", "warning"): 1.0}


def test_a_file_that_cannot_be_written_is_counted_and_tried_again(desk) -> None:
    desk.file.mkdir()
    desk.alerts.hold([finding("a")])
    assert desk.measures.numbers()["swallowed_errors_total"] == {("alert-file",): 1.0}
    desk.file.rmdir()
    desk.alerts.hold([finding("a")])
    assert desk.names() == ["a"]
    assert list(desk.file.parent.iterdir()) == [desk.file]
