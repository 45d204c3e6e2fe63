"""The tree as text: the commented file `holdfast init` writes, the reference page, values as TOML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec

from holdfast.settings.tree import OPEN_SECTIONS, Settings

__all__ = ["commented_file", "reference_page", "toml_value"]

_EXAMPLE_NAMES = {"packages": "triage-en", "connections": "helpdesk", "teams": "network", "queues": "write-back"}


def commented_file() -> str:
    """Return a configuration file with every setting, commented out, at its default."""
    lines = [
        "# Holdfast configuration. Every line that starts with `#key` is a default; remove the `#` to change it.",
        "# Check it with `holdfast config check`, see what is in force with `holdfast config show --origin`.",
        "# The environment overrides it: HOLDFAST_SERVER__PORT=8471.",
    ]
    for title, section in _sections(Settings, ""):
        if title.endswith(".<name>"):
            example = _EXAMPLE_NAMES[title.removesuffix(".<name>")]
            lines += ["", f"# {_summary(section)}", f"#[{title.replace('<name>', example)}]"]
        else:
            lines += ["", f"# {_summary(section)}", f"[{title}]"]
        for name, kind, default in _fields(section):
            lines += [f"# {_meaning(kind)}", f"#{name} = {toml_value(default)}"]
    return "\n".join(lines) + "\n"


def reference_page() -> str:
    """Return the body of docs/configuration.md: one table per section."""
    parts: list[str] = []
    for title, section in _sections(Settings, ""):
        parts += [f"## {title}", "", _summary(section), "", "| key | default | range | meaning |", "|---|---|---|---|"]
        for name, kind, default in _fields(section):
            row = (f"`{title}.{name}`", f"`{toml_value(default)}`", _range(kind), _meaning(kind))
            parts.append("| " + " | ".join(row) + " |")
        parts.append("")
    return "\n".join(parts)


def toml_value(value: Any) -> str:
    """Return `value` as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _sections(section: type[msgspec.Struct], title: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    if title:
        yield title, section
    for name, kind in get_type_hints(section).items():
        path = f"{title}.{name}" if title else name
        if path in OPEN_SECTIONS:
            yield f"{path}.<name>", OPEN_SECTIONS[path]
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from _sections(kind, path)


def _fields(section: type[msgspec.Struct]) -> Iterator[tuple[str, Any, Any]]:
    hints = get_type_hints(section, include_extras=True)
    for one in msgspec.structs.fields(section):
        kind = hints[one.name]
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            continue
        default = one.default if one.default is not msgspec.NODEFAULT else one.default_factory()
        yield one.name, kind, default


def _summary(section: type[msgspec.Struct]) -> str:
    return (section.__doc__ or "").strip()


def _meta(kind: Any) -> list[msgspec.Meta]:
    return [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, msgspec.Meta)]


def _meaning(kind: Any) -> str:
    return " ".join(one.description for one in _meta(kind) if one.description)


def _range(kind: Any) -> str:
    words: list[str] = []
    for one in _meta(kind):
        for sign, limit in ((">=", one.ge), (">", one.gt), ("<=", one.le), ("<", one.lt)):
            if limit is not None:
                words.append(f"{sign} {limit:g}")
    choices = getattr(getattr(kind, "__origin__", None), "__args__", ())
    if words or not choices or not all(isinstance(choice, str) for choice in choices):
        return ", ".join(words)
    return " or ".join(f"`{choice}`" for choice in choices)
