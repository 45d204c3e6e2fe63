"""`holdfast config`: check, show and reload the configuration."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli.invocation import as_json, columns, invocation, print_json
from holdfast.cli.owner import tell
from holdfast.settings.loading import effective
from holdfast.settings.text import toml_value

__all__ = ["config"]


@click.group(help="Check, show and reload the configuration.")
def config() -> None:
    """Group of the commands below."""


@config.command(help="Read every source and say what is wrong.\n\nExample: holdfast config check")
@as_json
def check(*, as_json: bool) -> None:
    """Load the settings; an error names file, line, key, expected and found, and exits 78 (a rule file: 65)."""
    loaded = invocation().load()
    from holdfast.node.limits import policy_of, team_rules  # noqa: PLC0415  # what other commands here need not import

    policy_of(loaded)  # the rubric, and the rule file: a node refuses to start on what is wrong there
    team_rules(loaded)
    files = [str(path) for path in loaded.files]
    if as_json:
        print_json({"valid": True, "files": files, "set": dict(loaded.origins)})
    else:
        click.echo(f"valid: {', '.join(files) or 'no file, defaults only'}; {len(loaded.origins)} values set")


@config.command(help="Print every setting in force.\n\nExample: holdfast config show --origin")
@click.option("--origin", is_flag=True, help="Say where each value was set.")
@as_json
def show(*, origin: bool, as_json: bool) -> None:
    """Print the effective configuration."""
    rows = effective(invocation().load())
    if as_json:
        print_json({key: {"value": value, "origin": where} for key, value, where in rows})
        return
    table: list[tuple[Any, ...]] = [
        (key, toml_value(value), *([where] if origin else [])) for key, value, where in rows
    ]
    click.echo(columns(table))


@config.command(help="Make the running node read its configuration again.\n\nExample: holdfast config reload")
@as_json
def reload(*, as_json: bool) -> None:
    """Ask the owner; nothing changes when the new configuration is invalid."""
    invocation().load()
    result = tell("config.reload", {})
    if as_json:
        print_json(result)
        return
    click.echo(f"reloaded, generation {result['generation']}; changed: {', '.join(result['changed']) or 'nothing'}")
    if result["needs_restart"]:
        click.echo(f"in force after a restart only: {', '.join(result['needs_restart'])}")
