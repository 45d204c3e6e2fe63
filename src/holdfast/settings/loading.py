"""Reading settings: defaults, then files, then the environment, then flags; each value remembers its origin."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from holdfast.errors import InvalidInput
from holdfast.settings.check import contradictions
from holdfast.settings.tree import OPEN_SECTIONS, Settings

__all__ = ["InvalidSettings", "Loaded", "Sources", "changed_keys", "effective", "leaves", "load", "needs_restart"]

_PREFIX = "HOLDFAST_"
_SHOWN_FAULTS = 3  # one line must stay readable


class InvalidSettings(InvalidInput):
    """A configuration that cannot be used; the message names every key at fault."""

    def __init__(self, faults: list[str], *, field: str = "") -> None:
        more = f"; and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        super().__init__("; ".join(faults[:_SHOWN_FAULTS]) + more, field=field)
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from; each overrides the one before."""

    files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, object] = field(default_factory=dict)
    """Dotted key -> value."""
    promoted: Path | None = None
    """A file the node itself wrote when somebody promoted an experiment; stronger than `files`."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The tree, and for every value that is not the default, where it was set."""

    settings: Settings
    origins: Mapping[str, str]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """One value somebody set."""

    key: str
    value: Any
    origin: str
    from_text: bool = False
    """Text from the environment or a flag: numbers and lists are still to be read out of it."""


def load(sources: Sources) -> Loaded:
    """Read every source. Raises InvalidSettings naming each key, its origin, what was expected and found."""
    known = leaves(Settings)
    faults: list[str] = []
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for given in _all_given(sources, faults):
        kind = _kind_of(given.key, known)
        if kind is None:
            faults.append(f"{given.origin}: {given.key}: no such setting{_nearest(given.key, known)}")
            continue
        try:
            values[given.key] = _read(given, kind)
        except msgspec.ValidationError as error:
            faults.append(f"{given.origin}: {given.key}: {_expected(error)}, found {given.value!r}")
        origins[given.key] = given.origin
    if faults:
        raise InvalidSettings(faults)
    settings = _build(values)
    if conflicts := contradictions(settings):
        raise InvalidSettings([f"{_origin(key, origins)}: {key}: {text}" for key, text in conflicts])
    return Loaded(settings, origins, sources.files)


def leaves(section: type, prefix: str = "") -> dict[str, Any]:
    """Every fixed key of `section`, dotted, with its annotated type; open sections (`packages.*`) are not listed."""
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(section, include_extras=True).items():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            found |= leaves(kind, f"{prefix}{name}.")
        elif prefix or name not in OPEN_SECTIONS:
            found[f"{prefix}{name}"] = kind
    return found


def effective(loaded: Loaded) -> list[tuple[str, Any, str]]:
    """Every setting in force: key, value, origin (`default`, `file:line`, `environment X`, `flag --x`)."""
    keys = [*leaves(Settings), *_open_keys(loaded.settings)]
    return [(key, _value_at(loaded.settings, key), loaded.origins.get(key, "default")) for key in keys]


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Where `key`, or the first set key of the section it names, was set."""
    return next((origins[one] for one in origins if one == key or one.startswith(f"{key}.")), "default")


def changed_keys(before: Loaded, after: Loaded) -> tuple[str, ...]:
    """Keys whose value differs between the two."""
    old = {key: value for key, value, _ in effective(before)}
    new = {key: value for key, value, _ in effective(after)}
    return tuple(key for key in {**old, **new} if old.get(key) != new.get(key))


def needs_restart(key: str) -> bool:
    """Say whether a change of `key` waits for the next start: all but scoring, queues, tiers and trust do."""
    return not key.startswith(("triage.", "teams.", "queues.", "tiers.highest", "trust.", "outbound."))


def _open_keys(settings: Settings) -> list[str]:
    return [
        f"{section}.{name}.{leaf}"
        for section, kind in OPEN_SECTIONS.items()
        for name in getattr(settings, section)
        for leaf in leaves(kind)
    ]


def _split(key: str) -> tuple[str, str, str] | None:
    """Open section, name and leaf of `key`, or None: the name may have dots in it, as package names do."""
    section, _, rest = key.partition(".")
    name, dot, leaf = rest.rpartition(".")
    return (section, name, leaf) if section in OPEN_SECTIONS and dot else None


def _value_at(settings: Settings, key: str) -> Any:
    if (parts := _split(key)) is not None:
        section, name, leaf = parts
        return getattr(getattr(settings, section)[name], leaf)
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _all_given(sources: Sources, faults: list[str]) -> Iterator[_Given]:
    for path in (*sources.files, *((sources.promoted,) if sources.promoted is not None else ())):
        yield from _from_file(path, faults)
    for name, text in sorted(sources.environment.items()):
        if name.startswith(_PREFIX) and "__" in name:
            key = name.removeprefix(_PREFIX).lower().replace("__", ".")
            yield _Given(key, text, f"environment {name}", from_text=True)
    for key, value in sources.flags.items():
        yield _Given(key, value, f"flag {key}", from_text=isinstance(value, str))


def _from_file(path: Path, faults: list[str]) -> Iterator[_Given]:
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        faults.append(f"{path}: cannot be read: {error.strerror}")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{path}: not a TOML file: {error}")
        return
    lines = _lines_of_keys(text)
    for key, value in _flatten(table, Settings, ""):
        line = f":{lines[key]}" if key in lines else ""
        yield _Given(key, value, f"{path}{line}")


def _flatten(table: Mapping[str, Any], section: type, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) down to the leaves `section` knows; what it does not know is a leaf."""
    hints = get_type_hints(section)
    for name, value in table.items():
        kind = hints.get(name)
        if prefix == "" and name in OPEN_SECTIONS and isinstance(value, dict):
            for title, inner in value.items():
                if inner == {}:  # its name alone says something: all else is the default
                    first = msgspec.structs.fields(OPEN_SECTIONS[name])[0]
                    yield f"{name}.{title}.{first.name}", first.default
                elif isinstance(inner, dict):
                    yield from _flatten(inner, OPEN_SECTIONS[name], f"{name}.{title}.")
                else:
                    yield f"{name}.{title}", inner
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
            yield from _flatten(value, kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _lines_of_keys(text: str) -> dict[str, int]:
    """Where each plainly written key stands; inline tables and multi-line strings may be missed."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = header[1].replace('"', "").replace(" ", "") + "."
        elif assignment := re.match(r'\s*([\w."-]+)\s*=', line):
            lines.setdefault(table + assignment[1].replace('"', ""), number)
    return lines


def _kind_of(key: str, known: Mapping[str, Any]) -> Any:
    if (parts := _split(key)) is not None:
        section, _, leaf = parts
        return leaves(OPEN_SECTIONS[section]).get(leaf)
    return known.get(key)


def _read(given: _Given, kind: Any) -> Any:
    value = given.value
    if given.from_text and value[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise msgspec.ValidationError(f"Expected JSON ({error})") from error
    elif given.from_text and "tuple" in str(kind):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return msgspec.convert(value, kind, strict=not given.from_text)


def _expected(error: msgspec.ValidationError) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {close[0]}?)" if close else "; `holdfast config show` lists them all"


def _build(values: Mapping[str, Any]) -> Settings:
    tree: dict[str, Any] = {}
    for key, value in values.items():
        place = tree
        *sections, leaf = _split(key) or key.split(".")
        for section in sections:
            place = place.setdefault(section, {})
        place[leaf] = value
    return msgspec.convert(tree, Settings)
