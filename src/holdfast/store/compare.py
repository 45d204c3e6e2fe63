"""Says what is in a package, how two packages differ, and how the variants of one compare. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from holdfast.digest import Digest
from holdfast.manifest import Manifest, Variant

__all__ = ["Change", "Difference", "FileChange", "Inspection", "VariantRow", "compare", "difference", "inspect"]

_ABSENT = "(absent)"


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What a package says of itself."""

    digest: Digest
    signed: bool
    manifest: Manifest


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is not the same in both packages."""

    path: str
    before_bytes: int | None
    """Null: it is new."""
    after_bytes: int | None
    """Null: it is gone."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the manifest that is not the same in both packages."""

    field: str
    before: Any
    after: Any


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How one package differs from another."""

    same: bool
    before: Digest
    after: Digest
    files: tuple[FileChange, ...]
    fields: tuple[Change, ...]
    new_bytes: int
    """What a node that holds the first must store for the second, its manifest not counted."""


class VariantRow(msgspec.Struct, frozen=True, kw_only=True):
    """One variant, as its builder or this node measured it; null: nobody measured."""

    name: str
    tier: str
    engine: str
    precision: str | None
    size_bytes: int | None
    p50_ms: float | None
    p95_ms: float | None
    peak_rss_bytes: int | None
    accuracy_delta: float | None
    machine: str | None


def inspect(manifest: Manifest, digest: Digest) -> Inspection:
    """Return what there is to know of an intact package."""
    return Inspection(digest=digest, signed=False, manifest=manifest)


def difference(before: tuple[Manifest, Digest], after: tuple[Manifest, Digest]) -> Difference:
    """Return how `after` differs from `before`: files by content, everything else by field."""
    old = {entry.path: entry for entry in before[0].files}
    new = {entry.path: entry for entry in after[0].files}
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    held = {entry.sha256 for entry in before[0].files}
    return Difference(
        same=before[1] == after[1],
        before=before[1],
        after=after[1],
        files=tuple(
            FileChange(
                path=path,
                before_bytes=old[path].size_bytes if path in old else None,
                after_bytes=new[path].size_bytes if path in new else None,
            )
            for path in changed
        ),
        fields=tuple(_changes(_fields(before[0]), _fields(after[0]))),
        new_bytes=sum(
            {entry.sha256: entry.size_bytes for entry in after[0].files if entry.sha256 not in held}.values()
        ),
    )


def compare(manifest: Manifest) -> tuple[VariantRow, ...]:
    """Return the variants of a package, by tier, in the manifest's order."""
    return tuple(_row(variant) for variant in sorted(manifest.variants, key=lambda variant: variant.tier))


def _row(variant: Variant) -> VariantRow:
    seen = variant.measured
    return VariantRow(
        name=variant.name,
        tier=variant.tier,
        engine=variant.engine,
        precision=variant.encoder.precision if variant.encoder else None,
        size_bytes=seen.size_bytes if seen else None,
        p50_ms=seen.p50_ms if seen else None,
        p95_ms=seen.p95_ms if seen else None,
        peak_rss_bytes=seen.peak_rss_bytes if seen else None,
        accuracy_delta=seen.accuracy_delta if seen else None,
        machine=seen.machine if seen else None,
    )


def _fields(manifest: Manifest) -> dict[str, Any]:
    return dict(_flat(msgspec.to_builtins(msgspec.structs.replace(manifest, files=())), ""))


def _flat(value: Any, field: str) -> Iterator[tuple[str, Any]]:
    """Yield (dotted field, value) of every leaf; named things (heads) by name, so order moves nothing."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{field}.{name}" if field else name)
    elif (
        isinstance(value, list | tuple)
        and value
        and all(isinstance(inner, dict) and "name" in inner for inner in value)
    ):
        yield field, [inner["name"] for inner in value]
        for inner in value:
            yield from _flat(inner, f"{field}.{inner['name']}")
    else:
        yield field, value


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and "name" in value


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    for field in sorted(before.keys() | after.keys()):
        old, new = before.get(field, _ABSENT), after.get(field, _ABSENT)
        if old != new:
            yield Change(field=field, before=old, after=new)
