"""Heads, an instant and lists of sentences that the triage tests share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from holdfast.runtime.rules_engine import RulesHead

HERE = Path(__file__).parent
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
PRIORITY = RulesHead(
    name="severity", labels=("low", "high", "critical"), prior=(0.6, 0.3, 0.1), urgency=(0.0, 0.6, 1.0)
)
ROUTE = RulesHead(name="team", labels=("hardware", "access"), prior=(0.5, 0.5))


def sentences(name: str) -> list[str]:
    """The lines of a fixture list, without its comments."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
