"""`holdfast package`: look into packages, and change which of them this node serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call
from holdfast.cli.package_pages import comparison_page, difference_page, inspection_page, listing_page
from holdfast.digest import Digest
from holdfast.manifest import Manifest
from holdfast.store.compare import compare as compare_variants
from holdfast.store.compare import difference
from holdfast.store.compare import inspect as inspect_manifest
from holdfast.store.package import build as build_package
from holdfast.store.package import open_package

__all__ = ["package"]

_MIB = 1 << 20
_path = click.argument("path", type=click.Path(path_type=Path))


@click.group(help="Look into packages, and change which of them this node serves.")
def package() -> None:
    """Group of the commands below."""


@package.command(
    help="Build a package from directory SOURCE: package.toml (or manifest.json) and its files.\n\n"
    "OUT ending in .tar becomes one file, anything else a directory. The same source gives the same digest.\n\n"
    "Example: holdfast package build ./triage-en -o triage-en.tar"
)
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="File (.tar) or directory to write.")
@as_json
def build(source: Path, out: Path, *, as_json: bool) -> None:
    """Write the package and print its digest."""
    digest = build_package(source, out)
    if as_json:
        print_json({"out": str(out), "digest": digest})
    else:
        click.echo(f"{out}  {digest}")


@package.command(help="Say what is in the package at PATH.\n\nExample: holdfast package inspect triage-en.tar")
@_path
@as_json
def inspect(path: Path, *, as_json: bool) -> None:
    """Print the manifest, after verifying every file."""
    found = inspect_manifest(*_verified(path))
    if as_json:
        print_json(found)
    else:
        click.echo(inspection_page(found))


@package.command(
    help="Check every byte of the package at PATH; exit 65 if one is wrong.\n\n"
    "Example: holdfast package verify triage-en.tar"
)
@_path
@as_json
def verify(path: Path, *, as_json: bool) -> None:
    """Verify manifest, names and every file."""
    manifest, digest = _verified(path)
    size = sum(entry.size_bytes for entry in manifest.files)
    if as_json:
        print_json(
            {
                "verified": True,
                "name": manifest.name,
                "version": manifest.version,
                "digest": digest,
                "signed": False,
                "files": len(manifest.files),
                "size_bytes": size,
            }
        )
    else:
        click.echo(
            f"{path}: intact, unsigned: {manifest.name} {manifest.version}, {len(manifest.files)} files, "
            f"{size / _MIB:.1f} MiB\n{digest}"
        )


@package.command(
    help="Say how package AFTER differs from package BEFORE.\n\n"
    "Example: holdfast package diff triage-en-1.0.tar triage-en-1.1.tar"
)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@as_json
def diff(before: Path, after: Path, *, as_json: bool) -> None:
    """Print files and fields that differ."""
    found = difference(_verified(before), _verified(after))
    if as_json:
        print_json(found)
    else:
        click.echo(difference_page(found))


@package.command(
    help="Show the variants of the package at PATH side by side.\n\nExample: holdfast package compare triage-en.tar"
)
@_path
@as_json
def compare(path: Path, *, as_json: bool) -> None:
    """Print size, latency, memory and accuracy of each variant."""
    rows = compare_variants(_verified(path)[0])
    if as_json:
        print_json({"variants": rows})
    else:
        click.echo(comparison_page(rows))


@package.command(
    help="Verify the package at PATH, examine it on this machine, store it and make it the active version.\n\n"
    "Example: holdfast package install triage-en.tar"
)
@_path
@click.option("--no-activate", is_flag=True, help="Store it, ready to be activated, and go on serving what is active.")
@as_json
def install(path: Path, *, no_activate: bool, as_json: bool) -> None:
    """Install through the owner of the data directory."""
    report = call("package.install", {"path": str(path.absolute()), "activate": not no_activate})
    if as_json:
        print_json(report)
        return
    state = "active" if report["active"] else f"staged; 'holdfast package activate {_target(report)}' makes it active"
    click.echo(f"{_target(report)}{_unsigned(report)}: {state}")
    served = ", ".join(f"{tier} by {variant}" for tier, variant in report["variants"].items())
    click.echo(f"{report['digest']}, {report['written_bytes'] / _MIB:.1f} MiB new; {served}")
    for variant, problem in report["problems"].items():
        click.echo(f"not used: {variant}: {problem}")


@package.command("list", help="List the installed packages.\n\nExample: holdfast package list --json")
@as_json
def list_(*, as_json: bool) -> None:
    """Print every installed version."""
    found = call("package.list", {})
    if as_json:
        print_json(found)
    else:
        click.echo(listing_page(found))


@package.command(help="Make an installed version the active one.\n\nExample: holdfast package activate triage-en@1.0.0")
@click.argument("target", metavar="NAME@VERSION")
@as_json
def activate(target: str, *, as_json: bool) -> None:
    """Activate through the owner of the data directory."""
    _say_active(call("package.activate", {"target": _checked(target)}), as_json=as_json)


@package.command(help="Go back to the version that was active before.\n\nExample: holdfast package rollback triage-en")
@click.argument("name")
@as_json
def rollback(name: str, *, as_json: bool) -> None:
    """Roll back through the owner of the data directory."""
    _say_active(call("package.rollback", {"name": name}), as_json=as_json)


@package.command(help="Say what happened to a package.\n\nExample: holdfast package history triage-en")
@click.argument("name")
@as_json
def history(name: str, *, as_json: bool) -> None:
    """Print the happenings, oldest first."""
    found = call("package.history", {"name": name})
    if as_json:
        print_json(found)
        return
    click.echo(columns((h["at"], h["event"], h["version"], h["digest"][:19], h["detail"]) for h in found["happenings"]))


@package.command(help="Keep a version whatever 'gc' removes.\n\nExample: holdfast package pin triage-en@1.0.0")
@click.argument("target", metavar="NAME@VERSION")
@click.option("--remove", is_flag=True, help="Let it go again.")
@as_json
def pin(target: str, *, remove: bool, as_json: bool) -> None:
    """Pin or unpin through the owner of the data directory."""
    result = call("package.pin", {"target": _checked(target), "keep": not remove})
    if as_json:
        print_json(result)
    else:
        click.echo(f"{_target(result)}: {'pinned' if result['pinned'] else 'not pinned'}")


@package.command(
    help="Remove every version that is not active, previous, staged or pinned.\n\nExample: holdfast package gc"
)
@as_json
def gc(*, as_json: bool) -> None:
    """Clean up through the owner of the data directory."""
    result = call("package.gc", {})
    if as_json:
        print_json(result)
        return
    click.echo(f"removed: {', '.join(result['removed']) or 'no version'}; {result['freed_bytes'] / _MIB:.1f} MiB freed")


def _verified(path: Path) -> tuple[Manifest, Digest]:
    """The manifest and digest of a package, every file of which is intact."""
    with open_package(path) as opened:
        opened.verify()
        return opened.manifest, opened.digest


def _checked(target: str) -> str:
    name, _, version = target.partition("@")
    if not name or not version:
        raise click.UsageError(f"expected NAME@VERSION such as triage-en@1.0.0, found {target!r}.")
    return target


def _say_active(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(f"{_target(result)}{_unsigned(result)}: active\n{result['digest']}")


def _target(result: dict[str, Any]) -> str:
    return f"{result['name']}@{result['version']}"


def _unsigned(result: dict[str, Any]) -> str:
    return " (unsigned)" if result["unsigned"] else ""
