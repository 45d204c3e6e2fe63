"""`holdfast init`: write the commented configuration file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from holdfast.cli.invocation import invocation
from holdfast.cli.output import CannotCreate
from holdfast.settings.text import commented_file

__all__ = ["init"]


@click.command(help="Write a commented configuration file.\n\nExample: holdfast --config ./holdfast.toml init")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(*, force: bool) -> None:
    """Write every setting at its default, commented out."""
    usual = Path("/etc/holdfast/holdfast.toml") if os.geteuid() == 0 else Path("holdfast.toml")
    path = invocation().config or usual
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(commented_file())
    except FileExistsError as error:
        raise CannotCreate(f"{path} is already there; --force replaces it") from error
    except OSError as error:
        raise CannotCreate(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {path}; start the node with: holdfast --config {path} serve")
