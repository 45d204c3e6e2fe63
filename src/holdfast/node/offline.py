"""A node without an owner: its state is opened for one verb, nothing listens and no worker starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.node.log import Log
from holdfast.node.node import Node
from holdfast.node.verbs import run_verb as run
from holdfast.settings.loading import Loaded
from holdfast.settings.place import data_directory

__all__ = ["run_verb"]


def run_verb(loaded: Loaded, name: str, arguments: Mapping[str, Any]) -> Any:
    """Run verb `name` here and return its result as plain values. Raises DataDirectoryBusy, or what the verb raises."""
    directory = data_directory(loaded.settings, os.environ)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123  # a device, not a path
        node = Node(loaded, directory, log=Log(nowhere), reread=lambda: loaded)
        try:
            node.load_here()
            return msgspec.to_builtins(run(node, name, arguments))
        finally:
            node.stop()
            node.log.settle()
