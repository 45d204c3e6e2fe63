"""Operator verbs: a plain table from name to arguments, role and function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.access import Caller, Role, require
from holdfast.errors import InvalidInput
from holdfast.node import showing
from holdfast.node.connections_verbs import CONNECTION_VERBS
from holdfast.node.experiment_verbs import EXPERIMENT_VERBS
from holdfast.node.jobs_verbs import JOBS_VERBS
from holdfast.node.ledger_verbs import LEDGER_VERBS
from holdfast.node.node import Node
from holdfast.node.package_verbs import PACKAGE_VERBS
from holdfast.node.preview_verbs import PREVIEW_VERBS
from holdfast.node.report_verbs import REPORT_VERBS
from holdfast.node.similar_verbs import SIMILAR_VERBS
from holdfast.node.tokens_verbs import TOKEN_VERBS
from holdfast.node.triage_verbs import TRIAGE_VERBS
from holdfast.node.verb import NoArguments, Verb

__all__ = ["VERBS", "InvalidArguments", "UnknownVerb", "run_encoded", "run_verb"]


class UnknownVerb(InvalidInput):
    """No operator verb of this name."""


class InvalidArguments(InvalidInput):
    """The arguments of a verb are not what it takes."""


class Latest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the newest."""

    limit: int = 100


VERBS: Mapping[str, Verb] = {
    "config.reload": Verb(NoArguments, Role.ADMIN, lambda node, _: node.reload()),
    "node.status": Verb(NoArguments, Role.VIEWER, lambda node, _: showing.status(node)),
    "tiers.show": Verb(NoArguments, Role.VIEWER, lambda node, _: showing.tiers(node)),
    **PACKAGE_VERBS,
    **TRIAGE_VERBS,
    **REPORT_VERBS,
    **SIMILAR_VERBS,
    **LEDGER_VERBS,
    **EXPERIMENT_VERBS,
    **PREVIEW_VERBS,
    **JOBS_VERBS,
    **CONNECTION_VERBS,
    **TOKEN_VERBS,
    "tiers.history": Verb(Latest, Role.VIEWER, lambda node, asked: showing.transitions(node, asked.limit)),
}


def run_encoded(node: Node, name: str, body: bytes, *, caller: Caller) -> Any:
    """Run a verb whose arguments are JSON. Raises UnknownVerb, InvalidArguments, Forbidden, or what the verb raises."""
    verb = _verb(name)
    try:
        arguments = msgspec.json.decode(body or b"{}", type=verb.takes)
    except msgspec.DecodeError as error:
        raise InvalidArguments(f"{name}: {error}") from error
    require(caller, verb.role, name)
    return verb.call(node, arguments)


def run_verb(node: Node, name: str, arguments: Mapping[str, Any]) -> Any:
    """Run a verb in this process, by the owner of the data directory. Raises as `run_encoded`."""
    verb = _verb(name)
    try:
        converted = msgspec.convert(arguments, verb.takes)
    except msgspec.ValidationError as error:
        raise InvalidArguments(f"{name}: {error}") from error
    return verb.call(node, converted)


def _verb(name: str) -> Verb:
    verb = VERBS.get(name)
    if verb is None:
        raise UnknownVerb(f"{name[:80]}: expected one of {', '.join(VERBS)}")
    return verb
