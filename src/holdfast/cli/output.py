"""Files that a command makes: where one cannot be made, the command ends with 73 and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from holdfast.errors import HoldfastError

__all__ = ["CannotCreate", "OutputFile", "create"]


class CannotCreate(HoldfastError):
    """A file that was asked for cannot be made."""


class OutputFile(click.File):
    """A file to write text to, or `-`; made before the command begins, so that nothing is computed in vain."""

    def __init__(self) -> None:
        super().__init__("w", encoding="utf-8", lazy=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Open it. Raises CannotCreate."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            raise CannotCreate(f"{error.message}; name another file with -o") from error


def create(path: Path, content: bytes) -> None:
    """Write `content` to `path`. Raises CannotCreate."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CannotCreate(f"{path}: cannot be written: {error.strerror}; name another file with -o") from error
