"""Where the state of a node lives when nobody says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from holdfast.settings.tree import Settings

__all__ = ["PROMOTED", "data_directory", "promoted_file"]

PROMOTED = "promoted.toml"
"""In the data directory: settings that an experiment proved and somebody put in force."""

_SYSTEM = Path("/var/lib/holdfast")


def data_directory(settings: Settings, environment: Mapping[str, str]) -> Path:
    """Return the data directory: the configured one, else the system's for root, else the user's XDG data home."""
    if settings.data.directory:
        return Path(settings.data.directory).absolute()
    if os.geteuid() == 0:
        return _SYSTEM
    xdg = environment.get("XDG_DATA_HOME", "")
    # XDG base directory specification: a relative path in the variable is invalid and ignored.
    home = Path(xdg) if xdg.startswith("/") else Path(environment.get("HOME", "") or Path.home()) / ".local" / "share"
    return home / "holdfast"


def promoted_file(settings: Settings, environment: Mapping[str, str]) -> Path | None:
    """Return the file of promoted settings, if there is one this process may read."""
    path = data_directory(settings, environment) / PROMOTED
    return path if os.access(path, os.R_OK) else None
