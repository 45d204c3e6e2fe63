"""Packages made to hurt: refused by name, at once, without touching anything outside."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.digest import canonical, digest_bytes
from holdfast.store.archive import write_members
from holdfast.store.coherence import NewerPackage, UnknownFeature
from holdfast.store.layout import PackageLimits, PackageRefused
from holdfast.store.package import open_package, write_package

from .samples import FILES, MANIFEST


def forge(target: Path, change: Callable[[dict[str, Any]], object], files: dict[str, bytes] | None = None) -> Path:
    """Write an archive whose manifest says whatever `change` makes of it, with a digest that fits."""
    entries = [
        {"path": path, "size_bytes": len(content), "sha256": digest_bytes(content)}
        for path, content in sorted((files or FILES).items())
    ]
    fields: dict[str, Any] = {**msgspec.to_builtins(MANIFEST), "files": entries}
    change(fields)
    manifest = canonical(fields)
    digest = f"{digest_bytes(manifest)}\n".encode()
    members = [("manifest.json", manifest), ("DIGEST", digest), *sorted((files or FILES).items())]
    with target.open("wb") as file:
        write_members(members, file.write)
    return target


def test_the_forge_makes_good_packages_when_told_to(tmp_path: Path) -> None:
    with open_package(forge(tmp_path / "p.tar", lambda _: None)) as opened:
        opened.verify()


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "absolute path": (lambda m: m["files"][0].update(path="/etc/passwd"), "plain relative path"),
    "parent path": (lambda m: m["files"][0].update(path="../../x"), "plain relative path"),
    "inner parent": (lambda m: m["files"][0].update(path="a/../../x"), "plain relative path"),
    "dot": (lambda m: m["files"][0].update(path="./a"), "plain relative path"),
    "hidden": (lambda m: m["files"][0].update(path=".bashrc"), "plain relative path"),
    "option": (lambda m: m["files"][0].update(path="-rf"), "plain relative path"),
    "capital": (lambda m: m["files"][0].update(path="Model"), "plain relative path"),
    "look-alike": (lambda m: m["files"][0].update(path="\uff45ncoder"), "plain relative path"),
    "backslash": (lambda m: m["files"][0].update(path="a\\b"), "plain relative path"),
    "line feed": (lambda m: m["files"][0].update(path="a\n"), "plain relative path"),
    "nul": (lambda m: m["files"][0].update(path="a\0b"), "plain relative path"),
    "long path": (lambda m: m["files"][0].update(path="/".join(["a" * 30] * 4)), "plain relative path"),
    "deep path": (lambda m: m["files"][0].update(path="/".join("a" * 9)), "plain relative path"),
    "the manifest": (lambda m: m["files"][0].update(path="manifest.json"), "plain relative path"),
    "twice": (lambda m: m["files"].insert(0, m["files"][0]), "each once"),
    "unsorted": (lambda m: m["files"].reverse(), "rising order"),
    "file as directory": (
        lambda m: m["files"].insert(0, {**m["files"][0], "path": "encoder"}),
        "both a file and the directory",
    ),
    "huge file": (lambda m: m["files"][0].update(size_bytes=1 << 40), "expected at most 1073741824 bytes"),
    "huge integer": (lambda m: m["files"][0].update(size_bytes=(1 << 64) - 1), "expected at most"),
    "negative": (lambda m: m["files"][0].update(size_bytes=-1), "expected at most"),
    "upper digest": (lambda m: m["files"][0].update(sha256="sha256:" + "A" * 64), "digest is"),
    "unlisted graph": (lambda m: m["variants"][0]["encoder"].update(graph="elsewhere.onnx"), r"variants\.0\.encoder"),
    "rules tier": (lambda m: m["variants"][2].update(tier="rules"), "never depends on a package"),
    "unknown engine": (lambda m: m["variants"][0].update(engine="pickle"), "engine"),
    "unknown field": (lambda m: m.update(run="rm -rf"), "unknown field `run`"),
    "builtin": (lambda m: m.update(name="builtin"), "not 'builtin'"),
    "path as name": (lambda m: m.update(name="../evil"), "name: expected"),
    "version": (lambda m: m.update(version="1.0"), "semantic version"),
    "version digits": (lambda m: m.update(version="1.0.٣"), "semantic version"),
    "prior": (lambda m: m["heads"][0].update(prior=[0.7, 0.7]), "summing to 1"),
    "labels": (lambda m: m["heads"][0].update(labels=["a", "a"]), "each once"),
    "urgency": (lambda m: m["heads"][0].update(urgency=[0.1, 1.1]), "one number in"),
    "temperature": (lambda m: m["heads"][0]["tiers"]["full"].update(temperature=0.0), "temperatures above 0"),
    "stage": (lambda m: m["heads"][0]["tiers"]["full"].update(encoder_file=None), "for stage encoder"),
    "stranger variant": (lambda m: m["heads"][0]["tiers"]["full"].update(encoder_variant="x"), "an onnx variant"),
    "missing tier": (lambda m: m["heads"][0]["tiers"].pop("small"), "expected full, small"),
    "hash bits": (lambda m: m["heads"][0]["ngram"].update(hash_bits=63), "expected 1 to 24"),
    "default": (lambda m: m["defaults"]["route.minimum_confidence"].update(value=0.95), r"expected 0\.0 to 0\.9"),
    "no heads": (lambda m: m.update(heads=[]), "expected 1 to 16, found 0"),
    "promise": (lambda m: m["trial"]["promise"]["quality"].update(stranger=0.5), "stranger"),
}


@pytest.mark.parametrize(("change", "sentence"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_manifest_that_breaks_a_rule_is_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(PackageRefused, match=sentence):
        open_package(forge(tmp_path / "p.tar", change))


def test_a_newer_format_is_refused_by_name_whatever_else_it_holds(tmp_path: Path) -> None:
    path = forge(tmp_path / "p.tar", lambda m: m.update(schema="holdfast.package/2", wonders=[1]))
    with pytest.raises(NewerPackage, match=r"holdfast\.package/2; it takes a newer Holdfast"):
        open_package(path)


def test_an_unknown_requirement_is_refused_by_name(tmp_path: Path) -> None:
    path = forge(tmp_path / "p.tar", lambda m: m.update(requires=["delta-heads"], heads="of another kind"))
    with pytest.raises(UnknownFeature, match="'delta-heads' is not known"):
        open_package(path)


@pytest.mark.parametrize("spelling", [b" %s", b"%s\n", b"\xef\xbb\xbf%s"], ids=["space", "line feed", "mark"])
def test_any_other_spelling_of_a_manifest_is_refused(directory: Path, spelling: bytes) -> None:
    manifest = spelling % (directory / "manifest.json").read_bytes()
    (directory / "manifest.json").write_bytes(manifest)
    (directory / "DIGEST").write_text(f"{digest_bytes(manifest)}\n")
    with pytest.raises(PackageRefused):
        open_package(directory)


def test_a_manifest_nested_a_million_deep_is_refused(directory: Path) -> None:
    manifest = b'{"schema":"holdfast.package/1","x":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
    (directory / "manifest.json").write_bytes(manifest)
    (directory / "DIGEST").write_text(f"{digest_bytes(manifest)}\n")
    with pytest.raises(PackageRefused):
        open_package(directory)


def test_a_hundred_thousand_entries_are_refused_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "many.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for i in range(100_000):
            tar.addfile(tarfile.TarInfo(f"f{i}"))
    begun = time.monotonic()
    with pytest.raises(PackageRefused, match=r"manifest\.json"):
        open_package(path)
    assert time.monotonic() - begun < 1


def test_a_manifest_with_a_hundred_thousand_files_is_refused_in_seconds(tmp_path: Path) -> None:
    def many(fields: dict[str, Any]) -> None:
        entry = fields["files"][0]
        fields["files"] = [{**entry, "path": f"f{i:06}"} for i in range(100_000)]

    path = forge(tmp_path / "many.tar", many)
    begun = time.monotonic()
    with pytest.raises(PackageRefused, match=r"manifest\.json: expected at most 1048576 bytes"):
        open_package(path)
    with pytest.raises(PackageRefused, match="expected at most 1024 files, found 100000"):
        open_package(path, PackageLimits(manifest_bytes=1 << 30))
    assert time.monotonic() - begun < 5


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    found = tarfile.TarInfo(name)
    found.type = kind
    for field, value in fields.items():
        setattr(found, field, value)
    return found, b""


TARS: dict[str, tuple[list[tuple[tarfile.TarInfo, bytes]], str]] = {
    "symbolic link": ([member("manifest.json", tarfile.SYMTYPE, linkname="/etc/passwd")], "a symbolic link"),
    "hard link": ([member("manifest.json", tarfile.LNKTYPE, linkname="DIGEST")], "a hard link"),
    "directory": ([member("manifest.json", tarfile.DIRTYPE)], "a directory"),
    "pipe": ([member("manifest.json", tarfile.FIFOTYPE)], "a pipe"),
    "device": ([member("manifest.json", tarfile.CHRTYPE, devmajor=1)], "a device"),
    "sparse": ([member("manifest.json", tarfile.GNUTYPE_SPARSE)], "a sparse file"),
    "pax": ([member("manifest.json", pax_headers={"comment": "x"})], "a pax header"),
    "long name": ([member("m" * 200)], "long name|pax header"),
    "owned": ([member("manifest.json", uname="root")], "another header"),
    "other first": ([member("weights.bin")], "weights.bin"),
}


@pytest.mark.parametrize(("members", "sentence"), TARS.values(), ids=TARS.keys())
@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_what_has_no_place_in_a_package_archive_is_refused_by_name(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], sentence: str, kind: int
) -> None:
    path = tmp_path / "p.tar"
    with tarfile.open(path, "w", format=kind) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    if kind == tarfile.GNU_FORMAT and sentence[2:] == "pax header":
        sentence = "another header"
    with pytest.raises(PackageRefused, match=sentence):
        open_package(path)


@pytest.mark.parametrize("position", [0, 1, 5])
def test_an_archive_with_a_member_too_many_is_refused(tmp_path: Path, position: int) -> None:
    members = [(path, content) for path, content in unpacked(tmp_path)]
    members.insert(2 + position, ("a-stowaway", b"x"))
    with (tmp_path / "p.tar").open("wb") as file:
        write_members(members, file.write)
    with pytest.raises(PackageRefused, match="'a-stowaway'"):
        open_package(tmp_path / "p.tar")


def test_an_archive_whose_members_are_in_another_order_is_refused(tmp_path: Path) -> None:
    manifest, digest, *files = unpacked(tmp_path)
    with (tmp_path / "p.tar").open("wb") as file:
        write_members([manifest, digest, *reversed(files)], file.write)
    with pytest.raises(PackageRefused, match="expected the plain file"):
        open_package(tmp_path / "p.tar")


def unpacked(tmp_path: Path) -> list[tuple[str, bytes]]:
    write_package(MANIFEST, FILES, tmp_path / "good")
    with open_package(tmp_path / "good") as opened:
        head = [("manifest.json", opened.manifest_bytes), ("DIGEST", f"{opened.digest}\n".encode())]
    return head + sorted(FILES.items())


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


DIRECTORIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "extra file": (lambda d: (d / "run.sh").write_text("x"), r"run\.sh"),
    "extra directory": (lambda d: (d / "empty").mkdir(), "empty"),
    "hidden file": (lambda d: (d / ".x").write_text("x"), r"\.x"),
    "gone": (lambda d: (d / "trial.jsonl").unlink(), r"trial\.jsonl: expected a file, found none"),
    "link": (lambda d: replaced(d / "trial.jsonl", lambda p: p.symlink_to("/etc/passwd")), "found this link"),
    "link to itself": (lambda d: replaced(d / "trial.jsonl", lambda p: p.symlink_to(p)), "found this link"),
    "pipe": (lambda d: replaced(d / "trial.jsonl", os.mkfifo), "found this special file"),
    "manifest is a link": (lambda d: replaced(d / "manifest.json", lambda p: p.symlink_to("DIGEST")), "regular file"),
    "manifest is a pipe": (lambda d: replaced(d / "manifest.json", os.mkfifo), "regular file"),
    "manifest is gone": (lambda d: (d / "manifest.json").unlink(), r"manifest\.json: expected a regular file"),
    "digest is gone": (lambda d: (d / "DIGEST").unlink(), "DIGEST: expected a regular file"),
    "huge manifest": (lambda d: os.truncate(d / "manifest.json", 1 << 32), "at most 1048576 bytes"),
    "directory is a link": (lambda d: ((d / "heads").rename(d.parent / "h"), (d / "heads").symlink_to("../h")), "link"),
}


@pytest.mark.parametrize(("change", "sentence"), DIRECTORIES.values(), ids=DIRECTORIES.keys())
def test_a_directory_that_holds_anything_else_is_refused_by_name(
    directory: Path, change: Callable[[Path], object], sentence: str
) -> None:
    change(directory)
    with pytest.raises(PackageRefused, match=sentence):
        open_package(directory)


def test_a_file_swapped_for_a_link_after_opening_is_not_followed(directory: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(FILES["trial.jsonl"])
    with open_package(directory) as opened:
        replaced(directory / "trial.jsonl", lambda path: path.symlink_to(copy))
        with pytest.raises(PackageRefused, match="expected a regular file"):
            opened.read("trial.jsonl")


def test_a_directory_swapped_after_opening_is_not_entered(directory: Path, tmp_path: Path) -> None:
    other = write_other(tmp_path)
    with open_package(directory) as opened:
        directory.rename(tmp_path / "away")
        other.rename(directory)
        assert opened.read("trial.jsonl") == FILES["trial.jsonl"]


def test_an_inner_directory_swapped_for_a_link_is_not_followed(directory: Path, tmp_path: Path) -> None:
    with open_package(directory) as opened:
        (directory / "heads").rename(tmp_path / "heads")
        (directory / "heads").symlink_to(tmp_path / "heads")
        with pytest.raises(PackageRefused, match="expected a regular file"):
            opened.read("heads/priority.mlp")


def write_other(tmp_path: Path) -> Path:
    write_package(MANIFEST, {**FILES, "trial.jsonl": b"other"}, tmp_path / "other")
    return tmp_path / "other"
