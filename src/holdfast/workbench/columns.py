"""Columns: which column of a ticket file plays which role, as told or as assumed from its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from holdfast.errors import InvalidInput
from holdfast.workbench.rows import UnreadableTickets, column_names

__all__ = ["HEADS", "ROLES", "Columns", "InvalidColumns", "parse_columns", "resolve", "resolve_text"]

ROLES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "key", "number", "ticket_id", "issue_id", "issue_key"),
    "title": ("title", "summary", "subject", "short_description", "fields.summary"),
    "body": ("body", "description", "text", "content", "message", "details", "fields.description"),
    "at": ("created", "created_at", "date", "opened_at", "at", "reported_at", "timestamp", "fields.created"),
    "group": ("project", "group", "repository", "repo", "customer", "fields.project.key"),
}
"""Role -> column names that are taken for it when the user names none, most likely first, compared in lower case."""

HEADS: Mapping[str, tuple[str, ...]] = {
    "priority": (
        "priority",
        "severity",
        "cvss_severity",
        "level",
        "urgency",
        "criticality",
        "fields.priority.name",
    ),
    "route": ("route", "label", "area", "team", "queue", "department", "assignment_group", "component", "category"),
}
"""Head -> column names that are taken for its label when the user names no label at all."""

_SPOKEN = {"id": "ticket's id", "title": "title", "body": "body", "at": "time of writing", "group": "group"}
_ALIASES = {"text": "body", "description": "body", "summary": "title", "created_at": "at", "created": "at"}


class InvalidColumns(InvalidInput):
    """A mapping of columns that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column plays which role; an empty one is found by its name, and the assumption is said."""

    id: str = ""
    title: str = ""
    body: str = ""
    at: str = ""
    group: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Head -> column of its label."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Head -> value in the file -> label to learn; a value that is not named stays as it is."""
    date_format: str = ""


def parse_columns(
    roles: Iterable[str], labels: Iterable[str], *, values: Iterable[str] = (), date_format: str = ""
) -> Columns:
    """Read `title=summary`, `priority=cvss_severity` and `priority:Blocker=critical`. Raises InvalidColumns."""
    named: dict[str, str] = {}
    heads = dict(_pair(label, "--label HEAD=COLUMN") for label in labels)
    for text in roles:
        role, column = _pair(text, "--column ROLE=COLUMN")
        role = _ALIASES.get(role, role)
        if role in ROLES:
            named[role] = column
        elif role in HEADS:
            heads[role] = column
        else:
            raise InvalidColumns(f"--column {text}: expected one of {', '.join((*ROLES, *HEADS))}, found {role!r}")
    unknown = sorted(set(heads) - set(HEADS))
    if unknown:
        raise InvalidColumns(f"--label {unknown[0]}: expected the head priority or route, found {unknown[0]!r}")
    empty = Columns(labels=heads, values=_value_map(values), date_format=date_format)
    return _with_roles(empty, named)


def _with_roles(columns: Columns, roles: Mapping[str, str]) -> Columns:
    return replace(
        columns,
        id=roles.get("id", columns.id),
        title=roles.get("title", columns.title),
        body=roles.get("body", columns.body),
        at=roles.get("at", columns.at),
        group=roles.get("group", columns.group),
    )


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not equals or not name.strip() or not column.strip():
        raise InvalidColumns(f"expected {form}, found {text!r}")
    return name.strip(), column.strip()


def _value_map(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    values: dict[str, dict[str, str]] = {}
    for text in texts:
        left, label = _pair(text, "--value HEAD:VALUE=LABEL")
        head, colon, value = left.partition(":")
        if not colon or head not in HEADS:
            raise InvalidColumns(f"expected --value HEAD:VALUE=LABEL with head priority or route, found {text!r}")
        values.setdefault(head, {})[value.strip()] = label
    return values


def resolve(columns: Columns, present: Sequence[str], *, where: str) -> tuple[Columns, tuple[str, ...]]:
    """Fill the empty roles from the names `present`; return the mapping and a sentence for each assumption.

    Raises UnreadableTickets when a named column is absent, or when there is no text or no label to learn from.
    """
    found, assumed = resolve_text(columns, present, where=where)
    by_name = {name.lower(): name for name in present}
    heads = dict(columns.labels) or _assume_heads(by_name, {getattr(found, role) for role in ROLES})
    learnt = (
        [] if columns.labels else [f"{where}: column {name!r} is learnt as the {head}" for head, name in heads.items()]
    )
    if not heads:
        raise UnreadableTickets(
            f"{where}: expected a column with labels to learn, found {column_names(tuple(present))}; "
            "name it with --label priority=NAME or --label route=NAME"
        )
    return replace(found, labels=heads), (*assumed, *learnt)


def resolve_text(columns: Columns, present: Sequence[str], *, where: str) -> tuple[Columns, tuple[str, ...]]:
    """As `resolve`, for tickets that need no label. Raises UnreadableTickets."""
    _require_present(columns, present, where)
    by_name = {name.lower(): name for name in present}
    taken = {columns.id, columns.title, columns.body, columns.at, columns.group, *columns.labels.values()}
    text_named = bool(columns.title or columns.body)
    found = {role: getattr(columns, role) for role in ROLES}
    assumed: list[str] = []
    for role, likely in ROLES.items():
        column = _first(by_name, likely, taken)
        given = found[role] or (text_named and role in {"title", "body"})
        if column and not given:
            found[role] = column
            assumed.append(f"{where}: column {column!r} is read as the {_SPOKEN[role]}")
    if not found["title"] and not found["body"]:
        raise UnreadableTickets(
            f"{where}: expected a column with the ticket's text, found {column_names(tuple(present))}; "
            "name it with --column title=NAME or --column body=NAME"
        )
    return _with_roles(columns, found), tuple(assumed)


def _first(by_name: Mapping[str, str], likely: Iterable[str], taken: set[str]) -> str:
    return next((by_name[name] for name in likely if name in by_name and by_name[name] not in taken), "")


def _assume_heads(by_name: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    heads = {head: _first(by_name, likely, taken) for head, likely in HEADS.items()}
    return {head: column for head, column in heads.items() if column}


def _require_present(columns: Columns, present: Sequence[str], where: str) -> None:
    named = (columns.id, columns.title, columns.body, columns.at, columns.group, *columns.labels.values())
    absent = [column for column in named if column and column not in present]
    if absent:
        raise UnreadableTickets(
            f"{where}: expected a column {absent[0]!r}, found {column_names(tuple(present))}", field=absent[0]
        )
