"""Operator verbs over tokens: each change is recorded in the ledger, never a secret."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from holdfast.access import Role
from holdfast.errors import InvalidInput
from holdfast.node.node import Node
from holdfast.node.verb import NoArguments, Verb
from holdfast.record import Draft
from holdfast.tokens import NewToken, Token

__all__ = ["TOKEN_VERBS"]


class CreatedToken(msgspec.Struct, frozen=True, kw_only=True):
    """The secret, shown this once, and what it may."""

    secret: str
    token: Token


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them; no secrets, nobody has them any more."""

    tokens: tuple[Token, ...]
    needed: bool
    """Whether requests over the network need one."""


class RevokeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which token."""

    name: str
    forget: bool = False
    """Remove it from the table, too; a node that has no token left asks for none on its loopback."""


class TokenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger keeps of a change."""

    action: str
    token: Token


def _create(node: Node, asked: NewToken) -> CreatedToken:
    known = node.loaded.settings.teams
    if unknown := [team for team in asked.teams if team not in known]:
        names = ", ".join(sorted(known)) or "none"
        raise InvalidInput(f"teams: expected names under [teams] ({names}), found {unknown[0]!r}", field="/teams")
    secret, token = node.state.tokens.create(asked)
    _record(node, "created", token)
    return CreatedToken(secret=secret, token=token)


def _revoke(node: Node, asked: RevokeRequest) -> Token:
    tokens = node.state.tokens
    token = tokens.forget(asked.name) if asked.forget else tokens.revoke(asked.name)
    _record(node, "forgotten" if asked.forget else "revoked", token)
    return token


def _record(node: Node, action: str, token: Token) -> None:
    event = TokenEvent(action=action, token=token)
    node.state.journal.append(Draft(kind="token", payload=msgspec.json.encode(event)))


TOKEN_VERBS: Mapping[str, Verb] = {
    "token.create": Verb(NewToken, Role.ADMIN, _create),
    "token.list": Verb(
        NoArguments,
        Role.ADMIN,
        lambda node, _: TokenList(tokens=node.state.tokens.all(), needed=node.state.tokens.any),
    ),
    "token.revoke": Verb(RevokeRequest, Role.ADMIN, _revoke),
}
