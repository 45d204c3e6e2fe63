"""A row of the goals table: what was asked, what was measured, whether it is met."""

from __future__ import annotations

from typing import Any

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure against its goal."""

    name: str
    goal: str
    measured: float | None
    unit: str
    met: bool
    detail: dict[str, Any] = {}


def at_most(name: str, measured: float, bound: float, unit: str, **detail: Any) -> Row:
    return Row(
        name=name,
        goal=f"<= {bound:g} {unit}",
        measured=round(measured, 4),
        unit=unit,
        met=measured <= bound,
        detail=detail,
    )


def at_least(name: str, measured: float, bound: float, unit: str, **detail: Any) -> Row:
    return Row(
        name=name,
        goal=f">= {bound:g} {unit}",
        measured=round(measured, 4),
        unit=unit,
        met=measured >= bound,
        detail=detail,
    )


def printed(rows: list[Row]) -> str:
    """The table a person reads."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':2} {'':{width}}  {'measured':>12}  goal"]
    for row in rows:
        shown = "-" if row.measured is None else f"{row.measured:.4g}"
        extra = ", ".join(f"{key} {value}" for key, value in row.detail.items())
        lines.append(
            f"{'ok' if row.met else '!!'} {row.name:{width}}  {shown:>12}  {row.goal}"
            + (f"   ({extra})" if extra else "")
        )
    return "\n".join(lines)
