"""Operator verbs that change which package answers: install, activate, roll back, and what the store does alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from holdfast.access import Role
from holdfast.errors import InvalidInput, Unavailable
from holdfast.node.node import Node
from holdfast.node.verb import NoArguments, Verb
from holdfast.store import operations
from holdfast.store.install import InstallReport, activate, install, rollback, stage

__all__ = ["PACKAGE_VERBS", "PackageUnreadable"]


class PackageUnreadable(InvalidInput):
    """There is nothing to install at the path, or this node may not read it."""


def _install(node: Node, asked: operations.InstallRequest) -> InstallReport:
    try:
        return _installed(node, asked)
    except OSError as error:
        where, why = str(error.filename or asked.path), error.strerror or str(error)
        if Path(where).is_relative_to(asked.path):
            raise PackageUnreadable(f"{where}: expected a package this node can read, found: {why}") from error
        raise Unavailable(f"{asked.path} was not installed: {where}: {why}", retry_after_s=60.0) from error


def _installed(node: Node, asked: operations.InstallRequest) -> InstallReport:
    from holdfast.node.examining import examiner  # noqa: PLC0415  # engines: half a second that other verbs save

    act = install if asked.activate else stage
    report = act(
        node.state.store,
        asked.path,
        admit=node.admit,
        examine=examiner(node),
        limits=node.install_limits(),
    )
    if report.active:
        node.refresh_serving()
    return report


def _activate(node: Node, asked: operations.TargetRequest) -> operations.Activated:
    installed = activate(node.state.store, asked.target, admit=node.admit)
    node.refresh_serving()
    return operations.describe(asked.target.partition("@")[0], installed)


def _rollback(node: Node, asked: operations.NameRequest) -> operations.Activated:
    installed = rollback(node.state.store, asked.name, admit=node.admit)
    node.refresh_serving()
    return operations.describe(asked.name, installed)


def _on_store(call: Callable[..., Any]) -> Callable[[Node, Any], Any]:
    def run(node: Node, asked: msgspec.Struct) -> Any:
        return call(node.state.store, asked)

    return run


PACKAGE_VERBS: Mapping[str, Verb] = {
    "package.install": Verb(operations.InstallRequest, Role.ADMIN, _install),
    "package.activate": Verb(operations.TargetRequest, Role.ADMIN, _activate),
    "package.rollback": Verb(operations.NameRequest, Role.OPERATOR, _rollback),
    "package.list": Verb(NoArguments, Role.VIEWER, lambda node, _: operations.listing(node.state.store)),
    "package.history": Verb(operations.NameRequest, Role.VIEWER, _on_store(operations.history)),
    "package.pin": Verb(operations.PinRequest, Role.OPERATOR, _on_store(operations.pin)),
    "package.gc": Verb(NoArguments, Role.OPERATOR, lambda node, _: operations.collect(node.state.store)),
}
"""What is active changes in the store first, durably; then the node serves it."""
