"""The one file that says which packages are active: replaced as a whole, kept twice, checked when read."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

from holdfast.digest import canonical
from holdfast.errors import HumanNeeded
from holdfast.finding import Finding, Severity
from holdfast.store.blobs import write_durably
from holdfast.store.slots import StoreState

__all__ = ["StateFile", "StateTooNew"]

_SCHEMA = re.compile(r"holdfast\.store/([1-9][0-9]{0,8})")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_VERSION = 1
_MOST_BYTES = 1 << 24  # a state of a thousand versions is below 1 MiB
_SUM_BYTES = 65  # 64 hexadecimal digits of SHA-256 and a line feed


class StateTooNew(HumanNeeded):
    """State written by a newer Holdfast; reading it as ours could lose what it means."""


class _Damaged(Exception):
    """A copy that cannot be read as a state."""


class _Preamble(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    requires: tuple[str, ...] = ()


class StateFile:
    """`slots.json` and `slots.copy.json`, each the SHA-256 of its second line, a line feed, and the state.

    The copy is written first: the rename of `slots.json` is the one moment at which a change happens. Not locked; the
    store's lock guards it.
    """

    def __init__(self, directory: Path) -> None:
        self._main = directory / "slots.json"
        self._copy = directory / "slots.copy.json"

    def read(self) -> tuple[StoreState, Finding | None]:
        """Return the state, and what is wrong with the files. No file: the empty state. Raises StateTooNew."""
        problems: list[str] = []
        for path in (self._main, self._copy):
            try:
                return _decode(path), _finding(problems, lost=False)
            except FileNotFoundError:
                problems.append(f"{path.name}: gone")
            except (_Damaged, OSError) as error:  # an unreadable file must not keep the node from starting
                problems.append(f"{path.name}: {error}")
        nothing_yet = not self._main.exists() and not self._copy.exists()
        return StoreState(), None if nothing_yet else _finding(problems, lost=True)

    def write(self, state: StoreState) -> int:
        """Replace the state, durable when this returns; return the bytes written. On OSError the old state holds."""
        body = canonical(state)
        content = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
        self._main.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._copy, content, mode=0o640)
        write_durably(self._main, content, mode=0o640)
        return 2 * len(content)


def _decode(path: Path) -> StoreState:
    with open(os.open(path, _READ), "rb") as file:  # noqa: PTH123  # O_NOFOLLOW
        content = file.read(_MOST_BYTES)
    body = content[_SUM_BYTES:]
    if content[:_SUM_BYTES] != hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise _Damaged("its checksum does not match")
    try:
        _check_schema(msgspec.json.decode(body, type=_Preamble), path)
        return msgspec.json.decode(body, type=StoreState)
    except msgspec.DecodeError as error:
        raise _Damaged(str(error)) from error


def _check_schema(preamble: _Preamble, path: Path) -> None:
    match = _SCHEMA.fullmatch(preamble.schema)
    if match is None:
        raise _Damaged(f"unknown schema {preamble.schema[:80]!r}")
    if int(match[1]) > _VERSION or preamble.requires:
        raise StateTooNew(
            f"{path}: expected holdfast.store/{_VERSION}, found {preamble.schema} {' '.join(preamble.requires)}; "
            "start the newer Holdfast that wrote it"
        )


def _finding(problems: list[str], *, lost: bool) -> Finding | None:
    if not problems:
        return None
    return Finding(
        name="store-state-lost" if lost else "store-state-damaged",
        severity=Severity.CRITICAL if lost else Severity.WARNING,
        sentence=f"The list of installed packages is damaged ({'; '.join(problems)})"
        + (" and nothing of it is left." if lost else "; its copy is used."),
        next_step="Install the packages again with 'holdfast package install'; check the disk."
        if lost
        else "Check the disk; the next change to a package writes both files anew.",
        component="store",
    )
