"""Logs: the level of each line, and the trace of a crash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.logs import LogFacts, read_log


def read(*lines: str) -> LogFacts:
    return read_log("\n".join(lines), lines=100)


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-02 12:00:01,123 ERROR [pool-1] c.e.Billing - cannot reach the ledger",
        "[2026-03-02T12:00:01Z] app.ERROR: no route to host",
        "2026/03/02 12:00:01 [error] 31#31: *1 connect() failed",
        "[Mon Mar 02 12:00:01 2026] [core:error] [pid 12] AH00126: Invalid URI",
        'time="2026-03-02T12:00:01Z" level=error msg="no space left on device"',
        "E0302 12:00:01.000000   1 reflector.go:1] Failed to watch",
        "03-02 12:00:01.123  1234  1235 E ActivityManager: ANR in com.example",
        "<11>Mar  2 12:00:01 host sshd[12]: fatal is only a word here",
        "main.c:12:3: error: expected ';'",
        "error[E0382]: borrow of moved value",
        '{"ts": 1, "level": "error", "msg": "all is fine"}',
        '{"@timestamp": "x", "log.level": "ERROR"}',
        '{"log": {"level": "error"}, "message": "x"}',
        '{"severity": "ERROR", "message": "x"}',
        '{"level": 50, "msg": "pino"}',
    ],
)
def test_a_line_with_the_level_of_an_error_is_one(line) -> None:
    assert (read(line).errors, read(line).levelled) == (1, 1)


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-02 12:00:01 INFO  finished: 0 of 500 lines had an ERROR",
        "INFO retry after ERROR in the last run",
        'level=info msg="ERROR handler installed"',
        '{"level": "info", "msg": "ERROR ERROR ERROR"}',
        "we saw no ERROR in the log, every error was handled",
        "The error of the third kind is fatal, says the manual",
        "errors: 0, warnings: 0",
        "0 ERROR",
    ],
)
def test_the_word_error_in_a_line_that_is_none_does_not_count(line) -> None:
    found = read(line)
    assert (found.errors, found.fatal, found.warnings) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "crash"),
    [
        ('Traceback (most recent call last):\n  File "a.py", line 3, in f\nKeyError: 3', "KeyError"),
        (
            "java.lang.NullPointerException: x\n\tat a.B.c(B.java:3)\n\tat a.B.d(B.java:9)",
            "java.lang.NullPointerException",
        ),
        ("TypeError: x is not a function\n    at f (/a.js:1:2)\n    at g (/a.js:3:4)", "TypeError"),
        ("panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()", "Go panic"),
        ("thread 'main' panicked at src/main.rs:2:5:", "Rust panic"),
        (json.dumps({"level": "error", "stack": "a.BadStateException: x\n\tat a.b(c.java:1)"}), "stack trace"),
        ("[  1.0] Out of memory: Killed process 12 (postgres)", "killed, out of memory"),
        ("meet me at (the bridge)\nor look at the log", ""),
        ("   at noon we stopped\n   at one we went on", ""),
    ],
)
def test_the_trace_of_a_crash_is_recognised_and_named(text, crash) -> None:
    assert read_log(text, lines=100).crash == crash


def test_a_log_that_is_one_json_array_is_read_entry_by_entry() -> None:
    found = read_log(json.dumps([{"level": "error"}, {"level": "fatal"}, {"msg": "no level"}], indent=1), lines=100)
    assert (found.errors, found.fatal, found.levelled, found.lines) == (1, 1, 2, 3)


def test_a_level_word_here_and_there_in_prose_makes_no_log() -> None:
    prose = ["This page says what the node does about a disk that is full."] * 30
    assert read(*prose, "Set level=error, or `[error]`, and ERROR lines are shown.").levelled == 0
    assert read(*prose, "main.c:3:1: error: expected ';'").errors == 1


def test_the_lines_of_a_stack_trace_do_not_hide_the_level_of_the_one_before_them() -> None:
    frames = ["\tat a.b.C.d(C.java:3)"] * 90
    found = read("2026-03-02 12:00:01 ERROR boom", *frames)
    assert (found.errors, found.lines) == (1, 91)


def test_of_a_long_log_the_beginning_and_more_of_the_end_are_read() -> None:
    found = read("INFO boot", *["INFO tick"] * 100_000, "ERROR at the very end")
    assert (found.errors, found.lines, found.complete) == (1, 100, False)


def test_a_giant_line_is_cut_and_the_lines_beside_it_are_read() -> None:
    found = read("ERROR before", "x" * 3_000_000, "WARN after")
    assert (found.errors, found.warnings, found.complete) == (1, 1, False)


@given(st.text(alphabet='ERO {}[]"level:=<1\n\tat', max_size=300))
def test_any_text_is_read_and_no_line_counts_twice(text) -> None:
    found = read_log(text, lines=20)
    assert found.fatal + found.errors + found.warnings <= found.levelled <= found.lines <= 20 + 1
