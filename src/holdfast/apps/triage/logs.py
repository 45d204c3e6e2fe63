"""Logs: how bad the lines of a text say it is, by their level and by traces of a crash, never by counting words.

A line speaks for itself only through its level: a field of a JSON line, a key (`level=error`), a syslog priority, or a
level word where loggers put it. The word `ERROR` in a message whose level is INFO says nothing, and neither does a line
without a level, nor a level word here and there in prose. Pure, and bounded: what it costs depends on the limits below,
not on who wrote the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

__all__ = ["LogFacts", "read_log"]

Level = Literal["fatal", "error", "warning", "other"]

_HEAD_CHARACTERS, _TAIL_CHARACTERS = 65_536, 196_608  # what went wrong last stands at the end
_TAIL_SHARE = 4  # of the lines that may be read, one in so many is from the beginning
_PROSE = 20  # of so many lines that begin at the margin one at least has a level in a log
_LEVEL_WITHIN = 128  # characters: date, host, process and thread come first, the message after
_JSON_WITHIN = 65_536
_NAME_LONGEST = 80
_NEAR = 4_096  # characters beside a marker in which the exception's name is looked for
_FRAMES = 2  # one line that begins with "at" may be prose

_WORDS: dict[str, Level] = {
    **dict.fromkeys(("fatal", "emerg", "emergency", "panic", "crit", "critical", "alert", "f", "dpanic"), "fatal"),
    **dict.fromkeys(("error", "err", "severe", "e", "eror", "failure"), "error"),
    **dict.fromkeys(("warn", "warning", "w", "wrn"), "warning"),
    **dict.fromkeys(
        ("info", "notice", "debug", "trace", "verbose", "fine", "config", "information", "i", "d", "v", "inf", "dbg"),
        "other",
    ),
}
_SYSLOG: tuple[Level, ...] = (
    "fatal",
    "fatal",
    "fatal",
    "error",
    "warning",
    "other",
    "other",
    "other",
)  # RFC 5424, 6.2.1
_BUNYAN: tuple[tuple[int, Level], ...] = ((60, "fatal"), (50, "error"), (40, "warning"), (10, "other"))
"""Numbers that bunyan and pino write as `level`."""

_KEYS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel", "log_level", "severity_text", "severityText")
_AT_START = re.compile(
    r"""<(?P<pri>\d{1,3})>
    |(?P<glog>[FEWI])\d{4}[ ]\d\d:
    |\d\d-\d\d[ ][\d:.]{5,20}\s{1,4}\d{1,9}\s{1,8}\d{1,9}\s(?P<logcat>[VDIWEF])\s
    |(?:[\w./+-]{1,80}(?::\d{1,9}){0,2}:\s)?(?P<start>fatal(?:[ ]error)?|error|warning)(?:\[\w{1,9}\])?:
    """,
    re.VERBOSE,
)
"""Forms that only a log or a compiler's output has."""

_WITHIN = re.compile(
    r"""\b(?:level|lvl|severity|levelname|loglevel|log_level)["']?\s?[=:]\s?["']?(?P<key>[A-Za-z]{1,16})
    |\b(?P<word>FATAL|EMERG(?:ENCY)?|PANIC|CRIT(?:ICAL)?|ALERT|ERR(?:OR)?|SEVERE|WARN(?:ING)?|INFO|NOTICE|DEBUG|TRACE|FINE)
     (?=[\s\])>|:"',]|$)(?<![Nn][Oo][ ]ERROR)(?<!\b0[ ]ERROR)
    |[\[<(:](?P<bracket>fatal|emerg|crit(?:ical)?|alert|err(?:or)?|warn(?:ing)?|info|notice|debug|trace)[\])>]
    """,
    re.VERBOSE,
)
"""Forms that prose may have too."""

_HINTS = ("info", "err", "warn", "debug", "level", "lvl", "fatal", "crit", "trace", "notice", "sever", "panic", "emerg",
          "alert", "fine")  # fmt: skip
"""One of these is in whatever `_WITHIN` finds: looking for them is ten times faster."""

_CRASHES = (
    ("Traceback (most recent call last)", "Python traceback"),
    ("\ngoroutine ", "Go panic"),
    ("' panicked at ", "Rust panic"),
    ("Exception in thread ", "uncaught Java exception"),
    ("Unhandled exception", "unhandled exception"),
    ("Uncaught ", "uncaught exception"),
    ("\\n\\tat ", "stack trace"),  # inside the string of a JSON line
    ("\\n    at ", "stack trace"),
    ("egmentation fault", "segmentation fault"),
    ("SIGSEGV", "segmentation fault"),
    ("Kernel panic", "kernel panic"),
    ("Call Trace:", "kernel trace"),
    ("Out of memory: Kill", "killed, out of memory"),
    ("OOMKilled", "killed, out of memory"),
    ("core dumped", "core dumped"),
)
"""What only a crash leaves behind, and how it is called."""

_FRAME = re.compile(r"^[ \t]{1,16}at [^\n]{1,400}[):0-9][ \t\r]*$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_$][\w.$]*")
_RAISED = ("Error", "Exception", "Throwable", "Interrupt", "Exit")


class LogFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a text says as a log."""

    lines: int
    """That were read, without empty ones."""
    levelled: int
    """Of these, with a level of their own."""
    fatal: int
    errors: int
    warnings: int
    crash: str
    """Name of the exception or kind of crash; empty when there is no trace of one."""
    complete: bool
    """False when some of the text was not read."""


def read_log(text: str, *, lines: int) -> LogFacts:
    """Read at most `lines` lines of `text`, most of them from its end."""
    entries = _entries(text)
    if entries is not None:
        complete, count = len(entries) <= lines, min(len(entries), lines)
        levels = Counter(level for entry in entries[-lines:] if (level := _of_fields(entry)) is not None)
    else:
        complete, kept = _lines(text, lines)
        count, levels = _counted(kept)
    return LogFacts(
        lines=count,
        levelled=levels.total(),
        fatal=levels["fatal"],
        errors=levels["error"],
        warnings=levels["warning"],
        crash=_crash(_bounded(text)),
        complete=complete,
    )


def _counted(lines: Iterator[str]) -> tuple[int, Counter[Level]]:
    """How many lines say anything, and the levels among them."""
    sure: Counter[Level] = Counter()
    unsure: Counter[Level] = Counter()
    count = at_margin = 0
    for line in lines:
        if not line or line.isspace():
            continue
        count += 1
        at_margin += not line[0].isspace()  # the others go on with what the line before said
        level, is_sure = _level(line)
        if level is not None:
            (sure if is_sure else unsure)[level] += 1
    if unsure.total() * _PROSE >= at_margin:
        sure.update(unsure)
    return count, sure


def _lines(text: str, most: int) -> tuple[bool, Iterator[str]]:
    """The first and the last lines of `text`, and whether these are all."""
    if len(text) > _HEAD_CHARACTERS + _TAIL_CHARACTERS:
        head, tail = text[:_HEAD_CHARACTERS], text[-_TAIL_CHARACTERS:]
    else:
        head, tail = text, ""
    first = max(most // _TAIL_SHARE, 1)
    begun = head.split("\n", first) if tail else head.split("\n", most)
    if not tail and len(begun) <= most:
        return True, iter(begun)
    if not tail:  # too many lines: those after the first ones are cut again, from the end
        begun = head.split("\n", first)
        tail = begun[-1]
    ended = tail.rsplit("\n", most - first)[1:]
    return False, iter((*begun[:first], *ended))


def _bounded(text: str) -> str:
    if len(text) <= _HEAD_CHARACTERS + _TAIL_CHARACTERS:
        return text
    return f"{text[:_HEAD_CHARACTERS]}\n{text[-_TAIL_CHARACTERS:]}"


def _entries(text: str) -> list[dict[str, Any]] | None:
    """The entries of a log that is one JSON array; None when it is not."""
    if not text[:64].lstrip().startswith("[") or len(text) > _HEAD_CHARACTERS + _TAIL_CHARACTERS:
        return None
    try:
        return msgspec.json.decode(text, type=list[dict[str, Any]])
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return None


def _level(line: str) -> tuple[Level | None, bool]:
    """The level of a line, and whether only a log has it in that form."""
    if line.startswith("{") and len(line) <= _JSON_WITHIN:
        try:
            return _of_fields(msgspec.json.decode(line, type=dict[str, Any])), True
        except (ValueError, RecursionError):  # no JSON after all: it is read as any other line
            pass
    head = line[:_LEVEL_WITHIN]
    found = _AT_START.match(head)
    if found is not None:
        return (_SYSLOG[int(found["pri"]) & 7] if found["pri"] else _named(found)), True
    if head[0].isspace() or not any(map(head.lower().__contains__, _HINTS)):
        return None, False
    found = _WITHIN.search(head)
    return (_named(found) if found is not None else None), False


def _named(found: re.Match[str]) -> Level | None:
    word = found[found.lastgroup or 0]
    return _WORDS.get(word.split()[0].lower())


def _of_fields(entry: dict[str, Any]) -> Level | None:
    """The level of a JSON entry, wherever the usual loggers put it."""
    nested = entry.get("log")  # Elastic Common Schema: log.level
    for where in (entry, nested) if isinstance(nested, dict) else (entry,):
        for key in _KEYS:
            value = where.get(key)
            if isinstance(value, str):
                return _WORDS.get(value.strip().lower())
            if isinstance(value, int):
                return _of_number(value)
    return None


def _of_number(value: int) -> Level | None:
    if 0 <= value < len(_SYSLOG):
        return _SYSLOG[value]
    return next((level for least, level in _BUNYAN if value >= least), None)


def _crash(text: str) -> str:
    for marker, kind in _CRASHES:
        at = text.find(marker)
        if at >= 0:
            return _raised(text[at : at + _NEAR]) or kind
    frames = _frames(text)
    if frames is None:
        return ""
    return _raised(text[max(frames - _NEAR // 8, 0) : frames]) or "stack trace"


def _frames(text: str) -> int | None:
    """Where the first frames of a stack trace stand that names no language."""
    if "\tat " not in text and "   at " not in text:
        return None
    found = [match.start() for match, _ in zip(_FRAME.finditer(text), range(_FRAMES), strict=False)]
    return found[0] if len(found) == _FRAMES else None


def _raised(near: str) -> str:
    """The first exception named in `near`."""
    words = (word.rstrip(".") for word in _WORD.findall(near))
    return next((word for word in words if word.endswith(_RAISED) and len(word) <= _NAME_LONGEST), "")
