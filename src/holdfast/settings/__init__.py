"""The whole configuration as one frozen tree that remembers where each value came from."""

from __future__ import annotations

from holdfast.settings.loading import InvalidSettings, Sources, load
from holdfast.settings.tree import Settings

__all__ = ["InvalidSettings", "Settings", "Sources", "load"]
