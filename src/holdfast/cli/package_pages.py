"""How packages, their differences and their variants look on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdfast.cli.invocation import columns
from holdfast.store.compare import Difference, Inspection, VariantRow

__all__ = ["comparison_page", "difference_page", "inspection_page", "listing_page"]

_MIB = 1 << 20
_SHOWN = 100  # characters of a value that changed


def inspection_page(found: Inspection) -> str:
    """What a package is, in a screenful."""
    manifest = found.manifest
    lines = [
        f"{manifest.name} {manifest.version} ({manifest.kind}, {'signed' if found.signed else 'unsigned'})",
        f"{found.digest}",
        manifest.description,
        "",
        columns(_heads(found)),
        "",
        _variants(found),
        "",
        f"defaults: {', '.join(f'{n} = {d.value}' for n, d in sorted(manifest.defaults.items())) or 'none'}",
        f"promise: {', '.join(f'{n} macro-F1 >= {q}' for n, q in sorted(manifest.trial.promise.quality.items()))}",
        f"from: {manifest.provenance.encoder}; {', '.join(manifest.provenance.datasets) or 'no data named'}",
        f"licences: {', '.join(manifest.provenance.licences) or 'none named'}",
        "",
        columns((f"{entry.size_bytes:>12,}", entry.sha256[:19], entry.path) for entry in manifest.files),
    ]
    return "\n".join(lines)


def _heads(found: Inspection) -> Iterator[tuple[str, ...]]:
    yield ("HEAD", "TASK", "LABELS", "SERVED BY")
    for head in found.manifest.heads:
        stages = ", ".join(f"{name}: {tier.stage}" for name, tier in sorted(head.tiers.items()))
        yield (head.name, head.task, str(len(head.labels)), stages)


def _variants(found: Inspection) -> str:
    """The variants, without figures."""
    rows = [(v.name, str(v.tier), v.engine) for v in found.manifest.variants]
    return columns([("VARIANT", "TIER", "ENGINE"), *rows])


def comparison_page(rows: Sequence[VariantRow]) -> str:
    """The variants side by side."""
    heading = ("VARIANT", "TIER", "ENGINE", "SIZE", "P50", "P95", "PEAK RSS", "ACCURACY", "MEASURED ON")
    return columns([heading, *(_comparison(row) for row in rows)])


def _comparison(row: VariantRow) -> tuple[str, ...]:
    return (
        row.name,
        row.tier,
        f"{row.engine} {row.precision}" if row.precision else row.engine,
        _or_dash(row.size_bytes, lambda n: f"{n / _MIB:.1f} MiB"),
        _or_dash(row.p50_ms, lambda ms: f"{ms:.2f} ms"),
        _or_dash(row.p95_ms, lambda ms: f"{ms:.2f} ms"),
        _or_dash(row.peak_rss_bytes, lambda n: f"{n / _MIB:.0f} MiB"),
        _or_dash(row.accuracy_delta, lambda delta: f"{delta:+.4f}"),
        row.machine or "-",
    )


def _or_dash(value: float | None, shown: Any) -> str:
    return "-" if value is None else str(shown(value))


def difference_page(found: Difference) -> str:
    """What differs, files first."""
    if found.same:
        return f"the same package: {found.before}"
    rows = [(change.path, _size(change.before_bytes), "->", _size(change.after_bytes)) for change in found.files]
    fields = [f"{c.field}: {_value(c.before)} -> {_value(c.after)}" for c in found.fields]
    files = columns(rows) if rows else "no file differs"
    summary = f"{found.new_bytes / _MIB:.1f} MiB to store for who holds the first"
    return "\n".join([f"{found.before}\n{found.after}", "", files, *(["", *fields] if fields else []), "", summary])


def _size(size_bytes: int | None) -> str:
    return "none" if size_bytes is None else f"{size_bytes:,}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def listing_page(found: Mapping[str, Any]) -> str:
    """The installed versions, and what they take."""
    rows = [
        (f"{held['name']}@{held['version']}", _marks(held), f"{held['size_bytes'] / _MIB:.1f} MiB", held["digest"][:19])
        for held in found["packages"]
    ]
    table = columns([("PACKAGE", "STATE", "SIZE", "DIGEST"), *rows]) if rows else "no package is installed"
    reasons = [f"{held['name']}@{held['version']} is bad: {held['bad']}" for held in found["packages"] if held["bad"]]
    today = max(found["written_bytes"], default="")
    wear = f"; {found['written_bytes'][today] / _MIB:.1f} MiB written on {today}" if today else ""
    used = f"{found['used_bytes'] / _MIB:.1f} of {found['quota_bytes'] / _MIB:.0f} MiB used{wear}"
    return "\n".join([table, *reasons, used])


def _marks(held: Mapping[str, Any]) -> str:
    words = [word for word in ("active", "previous", "staged", "pinned", "unsigned", "bad") if held[word]]
    return ", ".join(words) or "held"
