"""`holdfast token`: make, list and revoke the tokens callers over the network need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call

__all__ = ["token"]

_ROLES = ("viewer", "operator", "approver", "admin")
_SCOPES = ("read", "score", "judge", "metrics", "operate")


@click.group(help="Make, list and revoke the tokens callers over the network need.")
def token() -> None:
    """Group of the commands below."""


@token.command(
    help="Make a token and print it, this once. From the first one on every caller over the network needs one.\n\n"
    "Example: holdfast token create helpdesk --role operator --scope score --days 90"
)
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="viewer", show_default=True, help="What it may do at most.")
@click.option("--scope", "scopes", type=click.Choice(_SCOPES), multiple=True, help="Narrow it to this; repeatable.")
@click.option("--team", "teams", multiple=True, help="Only tickets of this team; repeatable.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="Until it expires.")
@click.option("--never-expires", is_flag=True, help="No expiry, in place of --days.")
@click.option(
    "--rate", type=click.IntRange(1, 1_000_000), default=6000, show_default=True, help="Requests a minute at most."
)
@as_json
def create(*, never_expires: bool, as_json: bool, **given: Any) -> None:
    """Print the secret on standard output alone, so that it can go into a file."""
    days = None if never_expires else given["days"]
    asked = {name: given[name] for name in ("name", "role", "scopes", "teams")}
    made = call("token.create", {**asked, "days": days, "requests_per_minute": given["rate"]})
    if as_json:
        print_json(made)
        return
    ends = made["token"]["expires_at"] or "never"
    click.echo(made["secret"])
    click.echo(f"{asked['name']}: {asked['role']}, expires {ends}; it is not shown again", err=True)


@token.command(name="list", help="List tokens, the revoked ones too.\n\nExample: holdfast token list --json")
@as_json
def list_(*, as_json: bool) -> None:
    """One line per token."""
    found = call("token.list", {})
    if as_json:
        print_json(found)
        return
    rows = [_row(one) for one in found["tokens"]]
    click.echo(columns([("NAME", "ROLE", "SCOPES", "TEAMS", "STATE", "EXPIRES", "LAST USED"), *rows]))
    if not found["needed"]:
        click.echo("no token is needed: only programs on this machine reach the node")


@token.command(help="Let nobody in with this token from now on.\n\nExample: holdfast token revoke helpdesk")
@click.argument("name")
@click.option(
    "--forget", is_flag=True, help="Remove it from the list, too. A node without any token asks for none on loopback."
)
@as_json
def revoke(*, name: str, forget: bool, as_json: bool) -> None:
    """Say what is revoked now."""
    revoked = call("token.revoke", {"name": name, "forget": forget})
    if as_json:
        print_json(revoked)
    else:
        click.echo(f"{name}: {'forgotten' if forget else 'revoked'}")


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["name"],
        one["role"],
        ",".join(one["scopes"]) or "all",
        ",".join(one["teams"]) or "all",
        _state(one),
        (one["expires_at"] or "never")[:10],
        (one["last_used_at"] or "never")[:19],
    )


def _state(one: dict[str, Any]) -> str:
    if one["revoked_at"]:
        return "revoked"
    expired = one["expires_at"] and datetime.fromisoformat(one["expires_at"]) <= datetime.now(UTC)
    return "expired" if expired else "good"
