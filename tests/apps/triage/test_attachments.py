"""What attachments add to a ticket's urgency, and what they may cost."""

from __future__ import annotations

import gzip
import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.attachments import explain, read_attachments, severity
from holdfast.apps.triage.ticket import Attachment

CALM = "2026-03-02 12:00:01 INFO tick\n"
BAD = "2026-03-02 12:00:02 ERROR cannot write\n"
WORSE = "2026-03-02 12:00:02 FATAL cannot go on\n"
_MIB = 1 << 20
_MOST_S = 0.02 * 3  # what is promised, and room for a busy machine


def text(content: str, name: str = "app.log") -> Attachment:
    return Attachment(name=name, text=content)


def packed(content: bytes, name: str = "app.log.gz", media_type: str = "application/gzip") -> Attachment:
    return Attachment(name=name, media_type=media_type, base64=b64encode(content).decode())


def how_bad(*contents: str) -> float:
    return severity(read_attachments([text(content) for content in contents]))


def test_a_worse_level_weighs_more_than_many_lines_of_a_better_one() -> None:
    warnings = CALM.replace("INFO", "WARN")
    assert 0 == how_bad(CALM * 500) < how_bad(warnings * 500) < how_bad(CALM * 500 + BAD) < how_bad(CALM * 500 + WORSE)


def test_the_same_share_of_errors_says_the_same_however_long_the_log_is() -> None:
    assert how_bad((CALM * 49 + BAD) * 2) == how_bad((CALM * 49 + BAD) * 16)


@given(st.integers(0, 30), st.integers(0, 30), st.booleans())
def test_one_more_error_never_makes_a_log_look_better(calm, bad, crashed) -> None:
    log = CALM * calm + BAD * bad + "Traceback (most recent call last)\n" * crashed
    assert 0 <= how_bad(log) <= how_bad(log + BAD) <= 1


def test_of_several_attachments_the_worst_counts() -> None:
    assert how_bad(CALM, BAD, CALM) == how_bad(BAD)


def test_a_packed_log_says_what_it_says_unpacked() -> None:
    content = (CALM * 20 + BAD).encode()
    assert severity(read_attachments([packed(gzip.compress(content))])) == how_bad(content.decode())
    both = gzip.compress(CALM.encode() * 20) + gzip.compress(BAD.encode())
    assert severity(read_attachments([packed(both)])) == how_bad(content.decode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_bytes_are_read_in_the_encoding_they_are_marked_with(encoding) -> None:
    content = (CALM + BAD).encode(encoding)
    assert severity(read_attachments([packed(content, media_type="text/plain")])) == how_bad(CALM + BAD)


@pytest.mark.parametrize(
    ("one", "note"),
    [
        (Attachment(name="p.png", media_type="image/png", base64=""), "ignored p.png (image/png is not read)"),
        (Attachment(name="call.ogg", media_type="audio/ogg"), "ignored call.ogg (audio/ogg is not read)"),
        (Attachment(name="a.log"), "ignored a.log (it came without content)"),
        (packed(bytes(range(256)), media_type="text/plain"), "ignored app.log.gz (its bytes are no text)"),
        (packed(b"\x1f\x8b\x08oops"), "ignored app.log.gz (it is damaged gzip)"),
        (packed(b"plain text, not packed"), "ignored app.log.gz (it is damaged gzip)"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(one, note) -> None:
    readings = read_attachments([one])
    assert (explain(readings), severity(readings)) == (note, 0.0)


def test_of_many_attachments_the_first_are_read_and_the_others_counted() -> None:
    assert explain(read_attachments([text("hello")] * 500)).endswith("ignored 492 more (only the first 8 are read)")


def test_a_name_cannot_smuggle_control_characters_into_the_reasons() -> None:
    assert "\x1b" not in explain(read_attachments([text("x", name="\x1b[2J.log")]))


ADVERSARIAL = {
    "line ends": text("\n" * _MIB),
    "one giant line": text("a" * _MIB),
    "nearly stack frames": text("   at (\n" * (_MIB // 8)),
    "nearly levels": text(("levellevel = level level l " * 6 + "\n") * (_MIB // 163)),
    "brackets": text(("  " + ':"[(' * 40 + "\n") * (_MIB // 163)),
    "nearly a compiler's error": text(("a.b/c-" * 13 + ":1:2: " + "fatal error" * 8 + "\n") * (_MIB // 173)),
    "names without end": text("Uncaught " + "a." * (_MIB // 2)),
    "deep JSON": text('{"a":' * (_MIB // 5)),
    "an array of nothing": text("[" + ",".join(["{}"] * 80_000) + "]"),
    "a bomb": packed(gzip.compress(b"ERROR x\n" * (1 << 22))),
    "a bomb of zeros": packed(gzip.compress(bytes(100 << 20))),
    "thousands of empty files in one": packed(gzip.compress(b"") * 30_000),
}


@pytest.mark.parametrize("lines", [100, 1_000, 20_000, 60_000])
def test_a_packed_log_of_one_line_over_and_over_is_read(lines: int) -> None:
    said = read_attachments([packed(gzip.compress(b"2026-11-20 10:00:00 ERROR db timeout\n" * lines))])
    assert severity(said) > 0.5


def test_a_few_bytes_that_unpack_to_megabytes_are_ignored_and_named() -> None:
    assert "it unpacks to more than 200 times" in explain(read_attachments([packed(gzip.compress(b"E" * (1 << 21)))]))


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_hostile_megabyte_is_read_in_bounded_time(name) -> None:
    def seconds() -> float:
        started_s = time.process_time()
        read_attachments([ADVERSARIAL[name]])
        return time.process_time() - started_s

    assert min(seconds() for _ in range(3)) <= _MOST_S
