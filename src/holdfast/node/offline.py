"""A node without an owner: its state is opened for one verb, nothing listens and no worker starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.access import Role
from holdfast.errors import Unavailable
from holdfast.node.log import Log
from holdfast.node.node import Node
from holdfast.node.verbs import VERBS
from holdfast.node.verbs import run_verb as run
from holdfast.settings.loading import Loaded
from holdfast.settings.place import data_directory

__all__ = ["NoState", "run_verb"]


class NoState(Unavailable):
    """There is no node's state where the settings say it is."""


def run_verb(loaded: Loaded, name: str, arguments: Mapping[str, Any]) -> Any:
    """Run verb `name` here and return its result as plain values.

    A verb that only reads makes no data directory. Raises NoState, DataDirectoryBusy, or what the verb raises.
    """
    directory = data_directory(loaded.settings, os.environ)
    verb = VERBS.get(name)
    if verb is not None and verb.role is Role.VIEWER and not directory.exists():
        raise NoState(
            f"{directory}: expected a node's data directory, found none; check --data, or begin one with "
            "`holdfast package install` or `holdfast serve`"
        )
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123  # a device, not a path
        node = Node(loaded, directory, log=Log(nowhere), reread=lambda: loaded)
        try:
            node.load_here()
            return msgspec.to_builtins(run(node, name, arguments))
        finally:
            node.stop()
            node.log.settle()
