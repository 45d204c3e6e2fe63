"""Connections: a tracker by its name, how it proves itself, where it is, and what this node may do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_IROTH
from typing import Literal, Protocol

from holdfast.apps.triage.decision import NEEDS_TRIAGE, Priority
from holdfast.apps.triage.dialect import Dialect, Place
from holdfast.apps.triage.dialects import DIALECTS
from holdfast.apps.triage.signatures import InvalidSecret, Secrets, read_secrets

__all__ = ["Connection", "Terms", "connect", "tracker_route", "tracker_word"]

_MOST_SECRET_BYTES = 4096


class Terms(Protocol):
    """What the operator says of a connection: the settings' `Connection`, which this layer may not name."""

    @property
    def dialect(self) -> str:
        """Name in DIALECTS."""

    @property
    def secret_files(self) -> tuple[str, ...]:
        """At most two."""

    @property
    def team(self) -> str:
        """Whose package and rules score its tasks."""

    @property
    def mode(self) -> Literal["write", "shadow", "reply"]:
        """What becomes of a decision."""

    @property
    def base_url(self) -> str:
        """Where its API is."""

    @property
    def token_file(self) -> str:
        """With the token for it."""

    @property
    def account(self) -> str:
        """Of that token."""

    @property
    def project(self) -> str:
        """What to list."""

    @property
    def priorities(self) -> Mapping[str, str]:
        """P0 to P3 in the tracker's words."""

    @property
    def unset_priorities(self) -> tuple[str, ...]:
        """Those that nobody chose."""

    @property
    def label_prefix(self) -> str:
        """Of labels that carry the priority."""

    @property
    def routes(self) -> Mapping[str, str]:
        """Route to the tracker's own label."""

    @property
    def write_route(self) -> bool:
        """Whether the route is written too."""

    @property
    def reprocess(self) -> bool:
        """Whether degraded answers are scored again."""

    @property
    def backfill_days(self) -> int:
        """How far back missed tasks are asked for."""

    @property
    def backfill_every_s(self) -> int:
        """Pause between two askings."""

    @property
    def tolerance_s(self) -> int:
        """Of a delivery's time stamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One tracker, ready to be spoken with, or with the reason why it is not."""

    name: str
    dialect: Dialect
    terms: Terms
    secrets: Secrets
    place: Place
    fault: str = ""
    """What is wrong with its files or settings, as a sentence; empty when nothing is."""
    exposed: tuple[str, ...] = ()
    """Its files that every user of this machine may read."""

    @property
    def writes(self) -> bool:
        """Whether decisions go back to the tracker."""
        return self.terms.mode == "write" and bool(self.place.base_url) and self.dialect.ability.writes


def connect(name: str, terms: Terms, base: Path) -> Connection:
    """Read the files that `terms` names, relative to `base`. What is wrong with them is the connection's `fault`."""
    dialect = DIALECTS[terms.dialect]
    secrets, token, faults = Secrets((), ()), "", []
    try:
        texts = [_text(base / file) for file in terms.secret_files]
        secrets = read_secrets(texts, dialect.scheme)
        if not texts:
            faults.append("it has no secret_files, so no delivery can prove where it comes from")
    except (OSError, UnicodeError, InvalidSecret) as error:
        faults.append(f"secret_files: {error}")
    try:
        token = _one_line(base / terms.token_file) if terms.token_file else ""
    except (OSError, UnicodeError, InvalidSecret) as error:
        faults.append(f"token_file: {error}")
    if odd := sorted(set(terms.priorities) - set(Priority)):
        faults.append(f"priorities: expected P0 to P3, found {', '.join(odd)[:80]}")
    place = Place(
        base_url=terms.base_url.rstrip("/"),
        token=token,
        account=terms.account,
        priorities={Priority(band): word for band, word in terms.priorities.items() if band in set(Priority)},
        unset=frozenset(terms.unset_priorities),
        label_prefix=terms.label_prefix,
        project=terms.project,
        routes=terms.routes,
    )
    return Connection(
        name=name,
        dialect=dialect,
        terms=terms,
        secrets=secrets,
        place=place,
        fault="; ".join(faults),
        exposed=_exposed(base, (*terms.secret_files, terms.token_file)),
    )


def tracker_route(connection: Connection, label: str) -> str:
    """Return the tracker's own word for a route, or empty: a label the tracker does not have is never written.

    Below the confidence it needs a route is `needs-triage`; that too is written only where `routes` names it.
    """
    terms = connection.terms
    if not terms.write_route:
        return ""
    return terms.routes.get(label) or terms.routes.get(NEEDS_TRIAGE, "")


def tracker_word(connection: Connection, band: Priority) -> str:
    """Return the tracker's own word for a priority, or empty where it has none but ours."""
    return connection.place.priorities.get(band) or connection.dialect.words.get(band, "")


def _exposed(base: Path, files: Sequence[str]) -> tuple[str, ...]:
    found = []
    for file in filter(None, files):
        with suppress(OSError):  # one that is not there is a fault already
            if (base / file).stat().st_mode & S_IROTH:
                found.append(file)
    return tuple(found)


def _one_line(path: Path) -> str:
    text = _text(path)
    if not text.isprintable():
        raise InvalidSecret(f"{path}: expected one line of printable characters, found others")
    return text


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MOST_SECRET_BYTES + 1)
    if len(content) > _MOST_SECRET_BYTES:
        raise InvalidSecret(f"{path}: expected at most {_MOST_SECRET_BYTES} bytes, found more")
    return content.decode().strip()
