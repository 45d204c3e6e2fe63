"""Exit codes (sysexits.h): which error class ends the command with which code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

__all__ = ["EXITS", "Exit", "exit_code"]


class Exit(IntEnum):
    """What a script may rely on."""

    OK = 0
    USAGE = 64
    BAD_DATA = 65
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    IO = 74
    TRY_AGAIN = 75
    NOT_PERMITTED = 77
    CONFIGURATION = 78


# By name, not by class: importing every room to end a command would cost `holdfast --help` half a second. A test
# resolves each name, so a renamed class cannot silently fall through to its base.
EXITS: Mapping[str, Exit] = {
    "InvalidSettings": Exit.CONFIGURATION,
    "UnknownQueue": Exit.CONFIGURATION,
    "NewerState": Exit.CONFIGURATION,
    "StateTooNew": Exit.CONFIGURATION,
    "KeyFileExposed": Exit.CONFIGURATION,
    "KeyFileWrong": Exit.CONFIGURATION,
    "TlsFilesUnusable": Exit.CONFIGURATION,
    "ClientAuthoritiesUnusable": Exit.CONFIGURATION,
    "Unguarded": Exit.CONFIGURATION,
    "DatabaseDamaged": Exit.IO,
    "DiskFull": Exit.IO,
    "DiskFailed": Exit.IO,
    "LedgerFull": Exit.IO,
    "PackageUnreadable": Exit.IO,
    "PackageRefused": Exit.BAD_DATA,
    "DecisionGone": Exit.UNAVAILABLE,
    "CannotCreate": Exit.CANNOT_CREATE,
    "DataDirectoryBusy": Exit.TRY_AGAIN,
    "AddressBusy": Exit.TRY_AGAIN,
    "Unavailable": Exit.UNAVAILABLE,
    "Refused": Exit.NOT_PERMITTED,
    "InvalidInput": Exit.BAD_DATA,
    "HumanNeeded": Exit.INTERNAL,
    "HoldfastError": Exit.INTERNAL,
    "FileExistsError": Exit.CANNOT_CREATE,
    "PermissionError": Exit.NOT_PERMITTED,
    "OSError": Exit.IO,
}


def exit_code(kinds: Iterable[str]) -> Exit:
    """Return the code of the most particular class that the table knows."""
    return next((EXITS[kind] for kind in kinds if kind in EXITS), Exit.INTERNAL)
