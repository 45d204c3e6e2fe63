"""Operator verbs over the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from holdfast.access import Role
from holdfast.ledger import operations
from holdfast.ledger.journal import Erased
from holdfast.node.node import Node
from holdfast.node.verb import Verb

__all__ = ["LEDGER_VERBS"]


def _on_journal(call: Callable[..., Any]) -> Callable[[Node, Any], Any]:
    def run(node: Node, asked: msgspec.Struct) -> Any:
        return call(node.state.journal, asked)

    return run


def _erase(node: Node, asked: operations.EraseRequest) -> Erased:
    erased = operations.erase(node.state.journal, asked)
    node.parts.similar.forget(asked.subject, erased)
    return erased


LEDGER_VERBS: Mapping[str, Verb] = {
    "ledger.show": Verb(operations.ShowRequest, Role.OPERATOR, _on_journal(operations.show)),
    "ledger.verify": Verb(operations.Nothing, Role.VIEWER, _on_journal(operations.verify)),
    "ledger.accept_loss": Verb(operations.Nothing, Role.ADMIN, _on_journal(operations.accept_loss)),
    "ledger.export": Verb(operations.ExportRequest, Role.ADMIN, _on_journal(operations.export)),
    "ledger.erase": Verb(operations.EraseRequest, Role.ADMIN, _erase),
}
"""Showing opens payloads, so it takes more than a viewer."""
