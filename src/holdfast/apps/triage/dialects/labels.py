"""Trackers that carry priority and route in labels: which labels say what, and which a write adds and removes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Place
from holdfast.apps.triage.task import Standing, Task, Values

__all__ = ["LabelChange", "change", "is_judgement", "metadata_labels", "standing"]


@dataclass(frozen=True, slots=True)
class LabelChange:
    """What a write does to a task's labels."""

    add: tuple[str, ...]
    remove: tuple[str, ...]


def standing(labels: Iterable[str], place: Place, *, latest: str = "") -> Standing:
    """Read the standing off all labels of a task; of several priorities `latest` counts, else the most urgent."""
    every = tuple(labels)
    words = [one.removeprefix(place.label_prefix) for one in every if _is_priority(one, place)]
    meanings = {word: _priority(word, place) for word in words}
    word = latest.removeprefix(place.label_prefix)
    known = sorted(one for one in meanings.values() if one is not None)
    priority = meanings.get(word) or (known[0] if known else None)
    routes = set(place.routes.values())
    return Standing(
        priority=priority,
        raw_priority=", ".join(sorted(words)),
        foreign=priority is None and any(one and one not in place.unset for one in words),
        route=latest if latest in routes else next((one for one in every if one in routes), ""),
        labels=every,
    )


def metadata_labels(labels: Iterable[str], place: Place) -> list[str]:
    """The labels that are circumstances: those that say neither priority nor route, which would be our own echo."""
    return [one for one in labels if not is_judgement(one, place)]


def is_judgement(label: str, place: Place) -> bool:
    """Say whether this label is a priority or a route."""
    return _is_priority(label, place) or label in place.routes.values()


def change(task: Task, values: Values, place: Place) -> LabelChange:
    """Return what to add and remove so that the task says `values`, and every other label stays."""
    wanted = [place.label_prefix + place.priorities.get(values.priority, values.priority.value)]
    if values.route:
        wanted.append(values.route)
    routes = {*place.routes.values(), values.former_route} if values.route else set()
    present = task.standing.labels
    return LabelChange(
        add=tuple(one for one in wanted if one not in present),
        remove=tuple(one for one in present if one not in wanted and (_is_priority(one, place) or one in routes)),
    )


def _is_priority(label: str, place: Place) -> bool:
    return bool(place.label_prefix) and label.startswith(place.label_prefix)


def _priority(word: str, place: Place) -> Priority | None:
    ours = {text.casefold(): priority for priority, text in place.priorities.items()}
    return ours.get(word.casefold()) or next((one for one in Priority if one.value == word.upper()), None)
