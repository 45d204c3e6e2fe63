"""Rule files: TOML in, checked rules out, or a sentence with a line number."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Any

import msgspec

from holdfast.apps.triage.calendar import CalendarSpec, WeeklyCalendar, build_calendar
from holdfast.apps.triage.conditions import Reader, Wrong
from holdfast.digest import Digest, digest_value
from holdfast.errors import InvalidInput
from holdfast.rule import Action, Comparison, Condition, Rule

__all__ = ["MAX_RULES", "NO_RULES", "InvalidRules", "RuleSet", "parse_rules", "plain_values", "read_table"]

MAX_RULES = 256
_MAX_COMPARISONS = 1_024  # in one file: keeps a hostile 1 MiB ticket within 20 ms
_MAX_FILE_BYTES = 1_048_576
_KEYS = ("rule", "calendars", "case", "rules")
_RULE_KEYS = ("name", "when", "floor", "cap", "set", "route")
_MAX_NAME = 100


class InvalidRules(InvalidInput):
    """A rule file that cannot be used; `line` says where, from 1; 0 when no line is at fault."""

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message, field=f"line {line}" if line else "")
        self.line = line


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in force together, with the calendars they name."""

    rules: tuple[Rule, ...]
    calendars: Mapping[str, WeeklyCalendar]
    digest: Digest
    """Of what the file means: comments and layout do not change it."""
    source: str = field(default="", compare=False, repr=False)
    """The file as it was read."""


NO_RULES = RuleSet((), {}, digest_value({"rule": [], "calendars": {}}))


def parse_rules(text: str, *, name: str = "rules") -> RuleSet:
    """Return the rules of the file `name` with content `text`; all of them or none. Raises InvalidRules."""
    table = read_table(text, name=name)
    try:
        return replace(_rule_set(table), source=text)
    except Wrong as wrong:
        raw_rules = table.get("rule")
        line = _line_of(text, wrong, rules=len(raw_rules) if isinstance(raw_rules, list) else 0)
        where = f"{name}:{line}" if line else name
        raise InvalidRules(f"{where}: {wrong}", line=line) from wrong


def read_table(text: str, *, name: str) -> dict[str, Any]:  # whatever TOML holds; checked key by key afterwards
    """Parse TOML. Raises InvalidRules with the line of the first syntax error."""
    if len(text) > _MAX_FILE_BYTES:
        raise InvalidRules(f"{name}: expected at most 1 MiB of rules, found {len(text)} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _, _, tail = str(error).rpartition("at line ")
        digits = tail.partition(",")[0]
        line = int(digits) if digits.isdigit() else text.count("\n") + 1
        raise InvalidRules(f"{name}:{line}: expected TOML, found: {error}", line=line) from error
    except RecursionError as error:
        raise InvalidRules(f"{name}: nested too deeply") from error


def plain_values(value: object) -> object:
    """TOML as JSON would hold it: dates and times become texts."""
    if isinstance(value, dict):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_values(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value


def _rule_set(table: dict[str, Any]) -> RuleSet:
    for key, value in table.items():
        if key not in _KEYS or (key == "rules" and not isinstance(value, str)):
            raise Wrong(f"expected the tables [[rule]] and [calendars.NAME], found {key!r}", token=key)
    calendars = _calendars(table.get("calendars", {}))
    raw_rules = table.get("rule", [])
    if not isinstance(raw_rules, list) or len(raw_rules) > MAX_RULES:
        raise Wrong(f"expected at most {MAX_RULES} [[rule]] tables", token="rule")  # noqa: S106 - a TOML key
    reader = Reader(calendars)
    rules: list[Rule] = []
    for index, raw in enumerate(raw_rules):
        try:
            rules.append(_rule(raw, reader, taken={rule.name for rule in rules}))
        except Wrong as wrong:
            raise Wrong(f"{_title(raw, index)}: {wrong}", token=wrong.token, rule=index) from wrong
    if sum(_size(rule.when) for rule in rules) > _MAX_COMPARISONS:
        raise Wrong(f"expected at most {_MAX_COMPARISONS} comparisons in all rules together")
    return RuleSet(tuple(rules), calendars, digest_value({"rule": raw_rules, "calendars": table.get("calendars", {})}))


def _calendars(raw: object) -> dict[str, WeeklyCalendar]:
    if not isinstance(raw, dict):
        raise Wrong("expected [calendars.NAME] tables", token="calendars")  # noqa: S106 - a TOML key
    calendars: dict[str, WeeklyCalendar] = {}
    for name, spec in raw.items():
        try:
            calendars[name] = build_calendar(name, msgspec.convert(plain_values(spec), CalendarSpec))
        except msgspec.ValidationError as error:
            raise Wrong(f"calendar {name!r}: {error}", token=name) from error
        except InvalidInput as error:
            raise Wrong(str(error), token=name) from error
    return calendars


def _rule(raw: object, reader: Reader, *, taken: set[str]) -> Rule:
    if not isinstance(raw, dict):
        raise Wrong("expected a table")
    for key in raw:
        if key not in _RULE_KEYS:
            close = difflib.get_close_matches(key, _RULE_KEYS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise Wrong(f"expected the keys {', '.join(_RULE_KEYS)}, found {key!r}{hint}", token=key)
    name = raw.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise Wrong(f"expected a name of 1 to {_MAX_NAME} printable characters", token="name")  # noqa: S106 - a key
    if name in taken:
        raise Wrong(f"expected a name of its own, found {name!r} a second time", token="name")  # noqa: S106 - a key
    if "when" not in raw:
        raise Wrong("expected a condition `when`, found none")
    return Rule(name, reader.condition(raw["when"]), _action(raw))


def _action(raw: dict[str, Any]) -> Action:
    numbers = [key for key in ("floor", "cap", "set") if key in raw]
    if len(numbers) > 1:
        raise Wrong(f"expected one of floor, cap and set, found {' and '.join(numbers)}", token=numbers[1])
    points: dict[str, float] = {}
    for key in numbers:
        value = raw[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise Wrong(f"expected {key} to be a number from 0 to 100, found {value!r}", token=key)
        points[key] = round(float(value), 2)
    route = raw.get("route")
    if route is not None and not (isinstance(route, str) and 0 < len(route) <= _MAX_NAME):
        raise Wrong(f"expected route to be a label, found {route!r}", token="route")  # noqa: S106 - a TOML key
    if not numbers and route is None:
        raise Wrong("expected an action: floor, cap, set or route, found none")
    return Action(floor=points.get("floor"), cap=points.get("cap"), set_to=points.get("set"), route=route)


def _size(condition: Condition) -> int:
    if isinstance(condition, Comparison):
        return 1
    parts = getattr(condition, "parts", None) or (condition.part,)  # type: ignore[union-attr] # Not has `part`
    return sum(_size(part) for part in parts)


def _title(raw: object, index: int) -> str:
    name = raw.get("name") if isinstance(raw, dict) else None
    return f"rule {name!r}" if isinstance(name, str) else f"rule number {index + 1}"


def _line_of(text: str, wrong: Wrong, *, rules: int) -> int:
    """The line of `wrong.token` inside the offending table, else of the table's header, else 0.

    tomllib keeps no lines for what it has read, so the headers are found again; a header inside a text of several
    lines would mislead, so their number must be right.
    """
    lines = text.splitlines()
    headers = [number for number, line in enumerate(lines) if line.strip().replace(" ", "").startswith("[[rule]]")]
    begin, end = 0, len(lines)
    if wrong.rule is not None and len(headers) == rules:
        begin = headers[wrong.rule]
        end = headers[wrong.rule + 1] if wrong.rule + 1 < rules else len(lines)
    elif wrong.rule is not None:
        return 0
    if wrong.token:
        for number in range(begin, end):
            if wrong.token in lines[number].partition("#")[0]:
                return number + 1
    return begin + 1 if wrong.rule is not None else 0
