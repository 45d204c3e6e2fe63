"""The operating values of a package in force: its defaults, and what the operator put in their place. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.errors import InvalidInput
from holdfast.manifest import Default, Manifest

__all__ = ["InvalidOverride", "Value", "effective_defaults"]

Value = float | bool | str
_WORDS = {float: "a number", bool: "true or false", str: "a string"}


class InvalidOverride(InvalidInput):
    """An override that the package does not allow. `field`: the key `packages.<name>.overrides.<default>`."""

    def __init__(self, key: str, *, expected: str, found: object) -> None:
        super().__init__(f"{key}: expected {expected}, found {found!r}", field=key)


def effective_defaults(manifest: Manifest, overrides: Mapping[str, Value]) -> dict[str, Value]:
    """Return every default of the package with the operator's value where there is one (4.5).

    Raises InvalidOverride for a name the package does not declare, another type, or a value out of its bounds.
    """
    values: dict[str, Value] = {name: default.value for name, default in manifest.defaults.items()}
    for name, value in overrides.items():
        key = f"packages.{manifest.name}.overrides.{name}"
        default = manifest.defaults.get(name)
        if default is None:
            known = ", ".join(sorted(manifest.defaults)) or "nothing: the package declares none"
            raise InvalidOverride(key, expected=f"one of {known}", found=value)
        values[name] = _checked(key, default, value)
    return values


def _checked(key: str, default: Default, value: Value) -> Value:
    kind = type(default.value)
    if kind is float and not isinstance(value, bool | str):
        value = float(value)  # TOML has whole numbers
    if type(value) is not kind:  # bool is an int to isinstance, and not to an operator
        raise InvalidOverride(key, expected=_WORDS[kind], found=value)
    bounds = default.bounds
    if bounds is not None and isinstance(value, float) and not bounds.minimum <= value <= bounds.maximum:
        raise InvalidOverride(key, expected=f"{bounds.minimum} to {bounds.maximum}", found=value)
    if default.choices and value not in default.choices:
        raise InvalidOverride(key, expected=f"one of {', '.join(default.choices)}", found=value)
    return value
