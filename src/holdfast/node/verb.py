"""One operator verb: what it takes, who may, what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.access import Role

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["NoArguments", "Verb"]


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For verbs that take nothing."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of the table."""

    takes: type[msgspec.Struct]
    role: Role
    call: Callable[[Node, Any], Any]
