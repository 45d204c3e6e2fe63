"""Write tests/vectors/packages: small packages, good and bad, each with its verdict in the file.

Run it again only when the format gets a new version: the vectors hold the format still.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.digest import canonical, digest_bytes
from holdfast.store.archive import write_members
from holdfast.store.package import read_source

SOURCE = Path(__file__).parents[1] / "tests" / "store" / "source"
OUT = Path(__file__).parents[1] / "tests" / "vectors" / "packages"
Members = list[tuple[str, bytes]]


def members(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Members:
    """The good package, or one whose manifest says something else, with a digest that fits."""
    manifest, files = read_source(SOURCE)
    fields = json.loads(canonical(manifest))
    fields["heads"][0]["tiers"]["small"]["temperature"] = 1.0
    fields["trial"]["promise"]["p95_ms"] = 5.0
    fields["files"] = [
        {"path": path, "sha256": digest_bytes(content), "size_bytes": len(content)}
        for path, content in sorted(files.items())
    ]
    change(fields)
    content = canonical(fields)
    return [("manifest.json", content), digest_of(content), *sorted(files.items())]


def digest_of(manifest: bytes) -> tuple[str, bytes]:
    """The member DIGEST for these bytes."""
    return ("DIGEST", f"{digest_bytes(manifest)}\n".encode())


def archive(given: Members) -> bytes:
    """The archive of these members."""
    buffer = io.BytesIO()
    write_members(given, buffer.write)
    return buffer.getvalue()


def respelled(spell: Callable[[bytes], bytes]) -> Members:
    """The good package with its manifest spelled otherwise."""
    manifest, _, *files = members()
    content = spell(manifest[1])
    return [("manifest.json", content), digest_of(content), *files]


def flipped(position: int) -> bytes:
    """The good archive with one bit flipped."""
    content = bytearray(archive(members()))
    content[position] ^= 1
    return bytes(content)


Case = tuple[str, bytes, int | None, str]
"""Name, archive, step of section 6 that refuses it or None, what the refusal is about."""


def byte_cases() -> list[Case]:
    """The good package, and what becomes of it when bytes change."""
    good = archive(members())
    start = len(archive(members()[:1])) - 1024  # where the member DIGEST begins
    return [
        ("good", good, None, ""),
        ("manifest-bit", flipped(600), 2, "DIGEST"),
        ("digest-bit", flipped(start + 512 + 20), 2, "DIGEST"),
        ("digest-without-line-feed", flipped(start + 512 + 71), 2, "DIGEST"),
        ("first-header-mode-bit", flipped(104), 1, "header"),
        ("first-header-name-bit", flipped(0), 1, "header"),
        ("first-header-size-bit", flipped(134), 1, "header"),
        ("header-padding-bit", flipped(505), 1, "header"),
        ("content-padding-bit", flipped(start - 1), 1, "padding"),
        ("file-bit", flipped(start + 1024 + 512), 8, "heads/route.ngram"),
        ("end-bit", flipped(len(good) - 1), 7, "end of the archive"),
        ("cut-in-the-end", good[:-512], 7, "the end"),
        ("cut-in-a-file", good[: start + 1024 + 513], 7, "expected"),
        ("longer", good + bytes(512), 7, "length"),
        ("empty", b"", 1, "manifest.json"),
        ("link", _as_kind(good, start + 1024, b"2"), 7, "a symbolic link"),
    ]


def manifest_cases() -> list[Case]:
    """Packages whose bytes all fit, and whose manifest breaks a rule."""
    return [
        ("newer-schema", archive(members(lambda m: m.update(schema="holdfast.package/2"))), 3, "newer"),
        ("unknown-feature", archive(members(lambda m: m.update(requires=["deltas"]))), 3, "deltas"),
        ("unknown-field", archive(members(lambda m: m.update(script="run"))), 4, "script"),
        ("missing-field", archive(members(lambda m: m.pop("trial"))), 4, "trial"),
        ("absent-optional-field", archive(members(lambda m: m.pop("rules"))), 5, "canonical"),
        ("pretty-manifest", archive(respelled(lambda c: json.dumps(json.loads(c), indent=1).encode())), 5, "canonical"),
        ("unsorted-manifest", archive(respelled(_reversed)), 5, "canonical"),
        (
            (
                "number-without-fraction",
                archive(respelled(lambda c: c.replace(b'"p95_ms":5.0', b'"p95_ms":5'))),
                5,
                "canonical",
            )
        ),
        ("repeated-name", archive(respelled(lambda c: c[:-1] + b',"version":"0.1.0"}')), 5, "canonical"),
        ("escaped-slash", archive(respelled(lambda c: c.replace(b"heads/", b"heads\\/"))), 5, "canonical"),
        ("absolute-path", archive(members(lambda m: m["files"][0].update(path="/heads/route.ngram"))), 6, "path"),
        ("parent-path", archive(members(lambda m: m["files"][0].update(path="../route.ngram"))), 6, "path"),
        ("size-beyond-the-limit", archive(members(lambda m: m["files"][0].update(size_bytes=1 << 31))), 6, "bytes"),
        ("unlisted-file-named", archive(members(lambda m: m.update(reference="other.json"))), 6, "reference"),
        ("version-not-semantic", archive(members(lambda m: m.update(version="1"))), 6, "version"),
        ("default-out-of-bounds", archive(members(_out_of_bounds)), 6, "defaults.limit"),
        ("size-too-small", archive(members(lambda m: m["files"][2].update(size_bytes=26))), 7, "expected"),
        ("other-sha256", archive(members(lambda m: m["files"][0].update(sha256="sha256:" + "0" * 64))), 8, "heads"),
        ("extra-member", archive([*members(), ("zebra", b"")]), 7, "end of the archive"),
        ("swapped-members", archive([*members()[:2], *reversed(members()[2:])]), 7, "header"),
    ]


def _reversed(content: bytes) -> bytes:
    fields = json.loads(content)
    return json.dumps(dict(reversed(fields.items())), separators=(",", ":"), ensure_ascii=False).encode()


def _out_of_bounds(fields: dict[str, Any]) -> None:
    fields["defaults"]["limit"] = {"bounds": {"maximum": 1.0, "minimum": 0.0}, "choices": [], "value": 2.0}


def _as_kind(content: bytes, offset: int, kind: bytes) -> bytes:
    """Make the member at `offset` another kind, with a checksum that fits."""
    block = bytearray(content[offset : offset + 512])
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return content[:offset] + bytes(block) + content[offset + 512 :]


def main() -> None:
    """Write one file per case."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name, content, step, about in [*byte_cases(), *manifest_cases()]:
        verdict = (
            {"accepted": True, "digest": digest_bytes(members()[0][1])}
            if step is None
            else {"accepted": False, "step": step, "about": about}
        )
        packed = base64.b64encode(zlib.compress(content, 9)).decode()
        text = json.dumps({"name": name, "verdict": verdict, "archive_zlib_base64": packed}, indent=1)
        (OUT / f"{name}.json").write_text(text + "\n")
    sys.stdout.write(f"{len(list(OUT.glob('*.json')))} vectors in {OUT}\n")


if __name__ == "__main__":
    main()
