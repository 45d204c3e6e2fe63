"""Plots as inline SVG text: a frame, its marks and a spoken description; values in, markup out, nothing fetched.

Colours come from the page's CSS variables, so that one drawing serves light and dark. Series differ by mark as well as
by colour, so that they can be told apart without colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

__all__ = ["Axis", "Frame", "Point", "Series", "axis_for", "draw"]

_WIDTH, _HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 26, 34, 46
_LEGEND_STEP = 118  # px per name in the legend row
_MAX_RADIUS, _MIN_RADIUS = 9.0, 2.5
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its name, its range, its ticks as (value, text), and whether it is logarithmic."""

    name: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where `value` lies on the axis, 0 at its start and 1 at its end; outside values are held at the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low) if high > low else 0.5


@dataclass(frozen=True, slots=True)
class Point:
    """One mark: where, how heavy (area), how uncertain (one standard error up and down) and what it is called."""

    x: float
    y: float
    weight: float = 0.0
    error: float = 0.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind, drawn in one colour and mark."""

    name: str
    points: tuple[Point, ...]
    colour: Literal[1, 2, 3] = 1
    joined: bool = False
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's name, what a screen reader says of it, and its axes; `ideal` adds the line from corner to corner."""

    title: str
    """Unique on its page."""
    description: str
    x: Axis
    y: Axis
    ideal: bool = False


def axis_for(name: str, values: Sequence[float], *, unit: str = "", logarithmic: bool = False) -> Axis:
    """Choose a range and round ticks that hold all of `values`."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if logarithmic:
        return _logarithmic_axis(name, low, high, unit)
    step = _round_step((high - low) or abs(high) or 1.0)
    start, stop = math.floor(low / step) * step, math.ceil(high / step) * step
    if stop - start < step:
        stop = start + step
    count = round((stop - start) / step)
    ticks = tuple((start + i * step, _number(start + i * step) + unit) for i in range(count + 1))
    return Axis(name, start, stop, ticks)


def _logarithmic_axis(name: str, low: float, high: float, unit: str) -> Axis:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high * 1.001))
    powers = [10.0**e for e in range(first, last + 1)]
    return Axis(name, powers[0], powers[-1], tuple((p, _number(p) + unit) for p in powers), logarithmic=True)


def _round_step(span: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts `span` into at most five."""
    rough = span / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= rough * 0.999)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def draw(frame: Frame, series: Sequence[Series]) -> str:
    """Draw `series` in `frame`, as one `<svg>` element."""
    name = "".join(character if character.isalnum() else "-" for character in frame.title.lower())
    heaviest = max((point.weight for one in series for point in one.points), default=0.0)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">',
        f'<title id="{name}-t">{escape(frame.title)}</title><desc id="{name}-d">{escape(frame.description)}</desc>',
        *_axes(frame.x, frame.y),
    ]
    if frame.ideal:
        parts.append(f'<path class="ideal" d="M{_LEFT} {_HEIGHT - _BOTTOM}L{_WIDTH - _RIGHT} {_TOP}"/>')
    for one in series:
        parts.extend(_marks(one, frame, heaviest=heaviest))
    parts.extend(_legend(series))
    return "".join([*parts, "</svg>"])


def _x(axis: Axis, value: float) -> float:
    return round(_LEFT + axis.place(value) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(_HEIGHT - _BOTTOM - axis.place(value) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _axes(x: Axis, y: Axis) -> list[str]:
    floor = _HEIGHT - _BOTTOM
    parts = []
    for value, text in y.ticks:
        at = _y(y, value)
        parts.append(f'<path class="grid" d="M{_LEFT} {at}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 7}" y="{at + 4}" text-anchor="end">{escape(text)}</text>')
    for value, text in x.ticks:
        at = _x(x, value)
        parts.append(f'<path class="axis" d="M{at} {floor}v5"/>')
        parts.append(f'<text class="tick" x="{at}" y="{floor + 18}" text-anchor="middle">{escape(text)}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{floor}H{_WIDTH - _RIGHT}"/>')
    across, down = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + floor) / 2
    parts.append(f'<text class="name" x="{across}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x.name)}</text>')
    turned = f"translate(13 {down}) rotate(-90)"
    parts.append(f'<text class="name" transform="{turned}" text-anchor="middle">{escape(y.name)}</text>')
    return parts


def _marks(series: Series, frame: Frame, *, heaviest: float) -> list[str]:
    places = [(_x(frame.x, point.x), _y(frame.y, point.y)) for point in series.points]
    parts = []
    if series.joined and places:
        path = "M" + "L".join(f"{a} {b}" for a, b in places)
        bare = "" if series.marked else " bare"  # without marks, the dashes of the second line tell the two apart
        parts.append(f'<path class="line c{series.colour}{bare}" d="{path}"/>')
    for point, (a, b) in zip(series.points, places, strict=True):
        if point.error:
            low, high = _y(frame.y, point.y - point.error), _y(frame.y, point.y + point.error)
            parts.append(
                f'<path class="error c{series.colour}" d="M{a} {low}V{high}M{a - 4} {low}h8M{a - 4} {high}h8"/>'
            )
        if series.marked:
            parts.append(_mark(series.colour, a, b, radius=_radius(point.weight, heaviest)))
        if point.label:
            parts.append(_label(point.label, a, b))
    return parts


def _radius(weight: float, heaviest: float) -> float:
    """Area in proportion to weight, so that a mark with ten times the tickets looks ten times as big."""
    return round(max(_MIN_RADIUS, _MAX_RADIUS * math.sqrt(weight / heaviest)), 1) if heaviest and weight else 4.5


def _mark(colour: int, a: float, b: float, *, radius: float) -> str:
    if colour == 2:
        side = round(radius * 1.77, 1)  # a square of the same area as the circle
        return f'<rect class="mark c2" x="{a - side / 2:.1f}" y="{b - side / 2:.1f}" width="{side}" height="{side}"/>'
    if colour == 3:
        reach = round(radius * 1.25, 1)
        return f'<path class="mark c3" d="M{a} {b - reach}l{reach} {reach}l-{reach} {reach}l-{reach} -{reach}z"/>'
    return f'<circle class="mark c1" cx="{a}" cy="{b}" r="{radius}"/>'


def _label(text: str, a: float, b: float) -> str:
    """The name of a point, on whichever side of it has room."""
    near_end = a > _WIDTH * 0.7
    anchor, step = ("end", -11) if near_end else ("start", 11)
    return f'<text class="label" x="{a + step}" y="{b - 8}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(series: Sequence[Series]) -> list[str]:
    named = [one for one in series if one.name]
    parts = []
    for i, one in enumerate(named):
        a = _LEFT + 8 + i * _LEGEND_STEP
        parts.append(_mark(one.colour, a, 14, radius=5))
        parts.append(f'<text class="label" x="{a + 11}" y="18">{escape(one.name)}</text>')
    return parts
