"""Attachments: what text and logs that came with a ticket add to its urgency, as one factor that explains itself.

Text, logs and JSON logs are read, gzip included; of everything else only the name and the type are told. What is kept
are a few counts, so that a decision can be derived again without the file. Pure, and bounded in time and memory.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Sequence

import msgspec

from holdfast.apps.triage.logs import LogFacts, read_log
from holdfast.apps.triage.ticket import Attachment

__all__ = ["Reading", "explain", "read_attachments", "severity"]

_MOST_READ = 8  # attachments; a person who sends more has put the telling one among the first
_LINES = 1_000  # over all attachments: at most 12 ms of one x86 core, whoever wrote them
_INFLATED_BYTES = 1 << 20  # of one attachment; what a gzip stream would hold beyond is not made
_STEP_BYTES = 1 << 16
_MOST_MEMBERS = 16  # of one gzip file: log rotation appends a few
_BOMB = 200  # times its size, at the limit above; below it one line over and over, as of a crash loop, shrinks as much
_LOOKED_AT = 4_096
_MOST_CONTROLS = 0.05  # share of control characters above which bytes are no text
_SHOWN_NAME = 80
_SHOWN_IGNORED = 8

_TEXTUAL = ("text/", "application/json", "application/x-ndjson", "application/ndjson", "application/jsonl",
            "application/xml", "application/yaml", "application/x-yaml", "application/toml", "application/x-log",
            "message/")  # fmt: skip
_PACKED = ("application/gzip", "application/x-gzip")
_UNKNOWN = ("", "application/octet-stream", "binary/octet-stream")
_GZIP = b"\x1f\x8b"
_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8-sig"))

_FATAL, _ERROR, _WARNING = 1.0, 0.7, 0.2
_WORST_SHARE, _DENSITY_SHARE, _CRASH_SHARE = 0.4, 0.3, 0.3
_DENSE = 0.1  # one line in ten at ERROR or worse is as bad as a log gets


class _Unreadable(Exception):  # leaves this file as a note, never as an error
    """Why an attachment is not read."""


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one attachment said, without any of its text but the name of an exception."""

    name: str
    log: LogFacts | None = None
    ignored: str = ""
    """Why it was not read; empty when it was."""


def read_attachments(attachments: Sequence[Attachment]) -> tuple[Reading, ...]:
    """Read what can be read of `attachments`; of the others say why not."""
    if not attachments:
        return ()
    read = attachments[:_MOST_READ]
    lines = _LINES // len(read)
    readings = [_read(one, lines) for one in read]
    more = len(attachments) - len(read)
    if more:
        readings.append(Reading(name=f"{more} more", ignored=f"only the first {_MOST_READ} are read"))
    return tuple(readings)


def severity(readings: Sequence[Reading]) -> float:
    """Return how urgent the worst of `readings` makes a ticket, in [0, 1].

    The worst level counts, then how dense errors are among the lines that have a level, then the trace of a crash.
    """
    return max((_severity(one.log) for one in readings if one.log is not None), default=0.0)


def explain(readings: Sequence[Reading]) -> str:
    """Say in words what was found and what was ignored."""
    told = [f"{one.name}: {_told(one.log)}" for one in readings if one.log is not None]
    ignored = [f"{one.name} ({one.ignored})" for one in readings if one.log is None]
    if ignored:
        told.append("ignored " + ", ".join(ignored[:_SHOWN_IGNORED]))
    return "; ".join(told)


def _severity(log: LogFacts) -> float:
    bad = log.fatal + log.errors
    worst = _FATAL if log.fatal else _ERROR if log.errors else _WARNING if log.warnings else 0.0
    density = min(bad / log.levelled / _DENSE, 1.0) if log.levelled else 0.0
    return _WORST_SHARE * worst + _DENSITY_SHARE * density + _CRASH_SHARE * bool(log.crash)


def _told(log: LogFacts) -> str:
    counts = ((log.fatal, "fatal"), (log.errors, "error"), (log.warnings, "warning"))
    said = ", ".join(f"{count} {name}" for count, name in counts if count)
    told = f"lines with a level: {log.levelled}, of them {said or 'none worse than info'}"
    if not log.levelled:
        told = "no line has a level"
    if log.crash:
        told += f", {log.crash}"
    return told if log.complete else f"{told}, its middle was not read"


def _read(attachment: Attachment, lines: int) -> Reading:
    name = _printable(attachment.name)
    try:
        text, whole = _text(attachment)
    except _Unreadable as error:
        return Reading(name=name, ignored=str(error))
    log = read_log(text, lines=lines)
    return Reading(name=name, log=log if whole else msgspec.structs.replace(log, complete=False))


def _text(attachment: Attachment) -> tuple[str, bool]:
    """The text, and whether that is all of it. Raises _Unreadable."""
    media_type = attachment.media_type.partition(";")[0].strip().lower()
    packed = media_type in _PACKED
    if not (packed or media_type in _UNKNOWN or media_type.startswith(_TEXTUAL) or media_type.endswith("+json")):
        raise _Unreadable(f"{_printable(media_type)} is not read")
    if attachment.text is not None:
        return attachment.text, True
    if attachment.base64 is None:
        raise _Unreadable("it came without content")
    content, whole = b64decode(attachment.base64), True
    if packed or content.startswith(_GZIP):
        content, whole = _inflated(content)
    return _decoded(content), whole


def _inflated(content: bytes) -> tuple[bytes, bool]:
    """The first of what a gzip file holds, and whether that is all. Raises _Unreadable."""
    made = bytearray()
    rest = content
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(wbits=31)  # 31: gzip, with its header and checksum
        try:
            while rest and not stream.eof and len(made) < _INFLATED_BYTES:
                made += stream.decompress(rest, _STEP_BYTES)
                rest = stream.unconsumed_tail
        except zlib.error as error:
            raise _Unreadable("it is damaged gzip") from error
        rest = stream.unused_data or rest
        if len(made) >= _INFLATED_BYTES and len(made) > _BOMB * len(content):
            raise _Unreadable(f"it unpacks to more than {_BOMB} times its size")
        if not rest or len(made) >= _INFLATED_BYTES:
            return bytes(made), stream.eof and not rest
    return bytes(made), False


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if encoding:
        return content.decode(encoding, "replace")
    start = content[:_LOOKED_AT]
    controls = sum(start.count(code) for code in (*range(9), *range(14, 27), *range(28, 32)))
    if b"\0" in start or controls > _MOST_CONTROLS * len(start):
        raise _Unreadable("its bytes are no text")
    return content.decode("utf-8", "replace")


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name[:_SHOWN_NAME])
