"""Trust: one function decides, and nothing else can say that it did."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from holdfast.digest import Digest, digest_bytes
from holdfast.manifest import Manifest, Promise, Provenance, Trial
from holdfast.trust.verify import UnsignedPackage, admit_local

SOURCE = Path(__file__).parents[2] / "src" / "holdfast"
MAKER = SOURCE / "trust" / "verify.py"


@dataclass(frozen=True)
class Intact:
    manifest: Manifest
    digest: Digest


@pytest.fixture
def package() -> Intact:
    trial = Trial(file="t", health_rows=1, tolerance=0.0, promise=Promise(quality={}, p95_ms=1.0, peak_rss_bytes=1))
    manifest = Manifest(
        name="triage-test",
        version="1.0.0",
        kind="triage",
        description="",
        files=(),
        variants=(),
        heads=(),
        defaults={},
        trial=trial,
        reference="r",
        provenance=Provenance(encoder="", datasets=(), licences=(), recipe={}),
    )
    return Intact(manifest, digest_bytes(msgspec.json.encode(manifest)))


def test_an_unsigned_package_is_admitted_where_the_operator_allows_it(package: Intact) -> None:
    verified = admit_local(package, allow_unsigned=True)
    assert (verified.name, verified.version, verified.digest) == ("triage-test", "1.0.0", package.digest)
    assert verified.unsigned


def test_an_unsigned_package_is_refused_otherwise_naming_the_setting(package: Intact) -> None:
    with pytest.raises(UnsignedPackage, match=r"triage-test 1\.0\.0.*trust\.allow_unsigned = true"):
        admit_local(package, allow_unsigned=False)


def test_no_other_module_makes_a_verified() -> None:
    makers = [
        str(path.relative_to(SOURCE))
        for path in sorted(SOURCE.rglob("*.py"))
        if path != MAKER
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Call) and "Verified" in {getattr(node.func, "id", ""), getattr(node.func, "attr", "")})
        or (isinstance(node, ast.Call) and _copies_one(node))
    ]
    assert makers == []


def _copies_one(call: ast.Call) -> bool:
    """`dataclasses.replace(verified, ...)` would be a second maker."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    return name == "replace" and any(getattr(argument, "id", "") == "verified" for argument in call.args)


def test_only_the_store_changes_what_is_active() -> None:
    movers = {
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "activated" and getattr(node.value, "id", "") == "moves"
    }
    assert movers == {"store/shelf.py"}
