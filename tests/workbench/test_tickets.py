"""Labelled tickets come out of any tracker's export, and what cannot be used is named."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.workbench.columns import InvalidColumns, parse_columns
from holdfast.workbench.rows import UnreadableTickets
from holdfast.workbench.tickets import read, read_tickets

BUNDLED = Path(__file__).parents[2] / "data"


def _write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_same_ticket_comes_out_of_csv_tsv_and_json_lines(tmp_path: Path) -> None:
    made = [
        _write(tmp_path / "a.csv", 'id,title,body,priority\n7,Disk full,"on db1, now",high\n'),
        _write(tmp_path / "a.tsv", "id\ttitle\tbody\tpriority\n7\tDisk full\ton db1, now\thigh\n"),
        _write(tmp_path / "a.jsonl", '{"id":7,"title":"Disk full","body":"on db1, now","priority":"high"}\n'),
        _write(tmp_path / "a.csv.gz", gzip.compress(b'id,title,body,priority\n7,Disk full,"on db1, now",high\n')),
        _write(tmp_path / "b.csv", "\ufeffid;title;body;priority\r\n7;Disk full;on db1, now;high\r\n"),
    ]
    seen = {(t.id, t.text, t.labels["priority"]) for path in made for t in read_tickets([path])}
    assert seen == {("7", "Disk full\non db1, now", "high")}


def test_every_assumption_about_columns_is_said(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", "Summary,Created,Severity\nDisk full,2024-06-30T12:00:00+02:00,high\n")
    reading = read([path])
    assert reading.tickets[0].at == datetime(2024, 6, 30, 10, tzinfo=UTC)
    assert reading.assumed == (
        "a.csv: column 'Summary' is read as the title",
        "a.csv: column 'Created' is read as the time of writing",
        "a.csv: column 'Severity' is learnt as the priority",
    )


def test_a_named_mapping_wins_over_the_names(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", "title,note,severity,sev2\nx,Disk full,low,P1\n")
    columns = parse_columns(["body=note"], ["priority=sev2"], values=["priority:P1=high"])
    (ticket,) = read_tickets([path], columns)
    assert (ticket.text, ticket.labels) == ("Disk full", {"priority": "high"})


def test_nested_fields_of_json_are_named_by_their_path(tmp_path: Path) -> None:
    line = '{"key":"A-1","fields":{"summary":"Disk full","priority":{"name":"High"},"labels":["a","b"]}}\n'
    (ticket,) = read_tickets([_write(tmp_path / "a.jsonl", line)])
    assert (ticket.id, ticket.text, ticket.labels) == ("A-1", "Disk full", {"priority": "High"})


@pytest.mark.parametrize(
    ("content", "where", "problem"),
    [
        (b"title,priority\nok,high\nonly one\n", "a.csv:3", "expected 2 columns, found 1"),
        (b"title,priority\nok,high\n,high\n", "a.csv:3", "expected text in 'title', found none"),
        (b'title,priority\n"ok\nover two lines",high\n\xff,high\n', "a.csv:4", "expected UTF-8"),
        (b"title,priority,at\nok,high,2024-06-01\n" * 1 + b"ok,high,soon\n", "a.csv:3", "expected a date"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, content: bytes, where: str, problem: str) -> None:
    columns = parse_columns([], [], date_format="iso")
    reading = read([_write(tmp_path / "a.csv", content)], columns)
    assert [bad.where for bad in reading.bad] == [where]
    assert problem in reading.bad[0].problem
    assert len(reading.tickets) == 1


def test_a_line_that_is_not_json_is_a_bad_row_and_strict_reading_refuses_it(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", '{"title":"ok","priority":"low"}\n{"title":\n')
    with pytest.raises(UnreadableTickets, match=r"1 rows cannot be used: a\.jsonl:2"):
        read_tickets([path])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.xlsx", b"PK", "tickets come as .csv, .tsv or .jsonl"),
        ("a.csv", b"", "found an empty file"),
        ("a.csv.gz", gzip.compress(b"title,priority\nx,high\n" * 99, mtime=0)[:-9], "found a damaged one"),
        ("a.csv", "title,priority\n".encode("utf-16"), "found UTF-16"),
        ("a.csv", b"title,title,priority\nx,y,z\n", "found 'title' twice"),
        ("a.csv", b"a,b\nx,y\n", "expected a column with the ticket's text, found a, b"),
        ("a.csv", b"title,b\nx,y\n", "expected a column with labels to learn"),
        ("a.csv", b"title,priority\nx,\n", "1 rows without a label"),
        ("a.csv", b"title,priority,date\nx,high,01/02/24\n", "fits %m/%d/%y and %d/%m/%y"),
        ("a.csv", b"title,priority,date\nx,high,whenever\n", "--date-format"),
        ("a.csv", b"title,priority,date\nx,high,2024-06-01\ny,high,whenever\n", "found 'whenever'"),
    ],
)
def test_a_file_that_cannot_be_learnt_from_is_refused_with_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    with pytest.raises(UnreadableTickets) as refusal:
        read([_write(tmp_path / name, content)])
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTickets, match="No such file"):
        read([tmp_path / "gone.csv"])
    path = _write(tmp_path / "a.csv", "title,priority\nx,high\n")
    with pytest.raises(UnreadableTickets, match="expected a column 'severity', found title, priority"):
        read([path], parse_columns([], ["priority=severity"]))


@pytest.mark.parametrize(
    ("roles", "labels", "values"),
    [(["title"], [], []), (["colour=x"], [], []), ([], ["mood=x"], []), ([], [], ["priority=x"])],
)
def test_a_mapping_that_means_nothing_is_refused(roles: list[str], labels: list[str], values: list[str]) -> None:
    with pytest.raises(InvalidColumns, match="expected"):
        parse_columns(roles, labels, values=values)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("3/25/07", datetime(2007, 3, 25, tzinfo=UTC)),
        ("25/3/2007", datetime(2007, 3, 25, tzinfo=UTC)),
        ("1174780800", datetime(2007, 3, 25, tzinfo=UTC)),
        ("1174780800000", datetime(2007, 3, 25, tzinfo=UTC)),
        ("2007-03-25T02:00:00.000+0200", datetime(2007, 3, 25, tzinfo=UTC)),
    ],
)
def test_dates_are_read_in_the_only_format_that_fits(tmp_path: Path, written: str, read_as: datetime) -> None:
    path = _write(tmp_path / "a.csv", f"title,priority,created\nx,high,{written}\n")
    assert read_tickets([path])[0].at == read_as


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("it_service_tickets_train.csv.gz", 38_269),
        ("nasa_pits_A-E.csv.gz", 3_282),
        ("vulnrichment_to_2024-06.csv.gz", 21_444),
    ],
)
def test_every_row_of_the_bundled_sets_is_read(name: str, rows: int) -> None:
    reading = read([BUNDLED / name])
    assert (len(reading.tickets), reading.bad, reading.unlabelled) == (rows, (), 0)


@pytest.mark.parametrize(
    ("name", "rows", "head"),
    [
        ("tickets/apache_jira_bugs_6proj_to_2016-06.csv.gz", 29_029, "priority"),
        ("tickets/sigma_alerts_to_2023-05.csv.gz", 2_815, "priority"),
        ("routing/github_corefx_area_issues.tsv.gz", 1_615, "route"),
    ],
)
def test_other_trackers_exports_are_read_by_the_names_of_their_columns(name: str, rows: int, head: str) -> None:
    root = os.environ.get("HOLDFAST_TESTDATA")
    if not root:
        pytest.skip("HOLDFAST_TESTDATA is not set")
    reading = read([Path(root) / name])
    assert len(reading.tickets) == rows
    assert all(head in ticket.labels for ticket in reading.tickets)
