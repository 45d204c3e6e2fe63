"""The words RULES knows: how urgent a phrase is, which words deny it, which words belong to a team."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.digest import Digest, digest_value

__all__ = ["BUILTIN_TABLE", "RulesTable", "table_digest"]


@dataclass(frozen=True, slots=True)
class RulesTable:
    """Case-folded words and phrases of words parted by one space."""

    version: str
    severity: Mapping[str, float]
    """Phrase -> weight in [-1, 1]: above 0 it moves urgency that share of the way to 1, below 0 that share to 0."""
    negations: frozenset[str]
    """One of these among the two words before a phrase: the phrase does not count."""
    routes: Mapping[str, frozenset[str]]
    """Case-folded label -> words that speak for it, besides the words of the label itself."""
    filler: frozenset[str]
    """Words of labels that say nothing: `and`, `other`."""


def table_digest(table: RulesTable) -> Digest:
    """The digest of the table's content, `digest` of answers that no package gave."""
    return digest_value(
        {
            "version": table.version,
            "severity": dict(table.severity),
            "negations": sorted(table.negations),
            "routes": {label: sorted(words) for label, words in table.routes.items()},
            "filler": sorted(table.filler),
        }
    )


def _weighted(weight: float, *phrases: str) -> dict[str, float]:
    return dict.fromkeys(phrases, weight)


BUILTIN_TABLE = RulesTable(
    version="1",
    severity={
        # Someone is being harmed, or what is lost does not come back.
        **_weighted(
            0.85, "data loss", "data breach", "breach", "ransomware", "remote code execution", "security incident"
        ),
        **_weighted(0.85, "exfiltrated", "exfiltration", "actively exploited", "fire", "evacuate", "injury", "injured"),
        # Nobody can work, or nobody can buy.
        **_weighted(
            0.75, "outage", "is down", "are down", "went down", "production down", "completely down", "all users"
        ),
        **_weighted(0.75, "everyone", "nobody can", "no one can", "all customers", "site down", "sev1", "p1", "p0"),
        **_weighted(
            0.6, "down", "unreachable", "offline", "unresponsive", "not responding", "crashed", "cannot connect"
        ),
        **_weighted(0.6, "compromised", "hacked", "malware", "virus", "phishing", "unauthorized access", "leaked"),
        **_weighted(
            0.6, "privilege escalation", "arbitrary code", "sql injection", "authentication bypass", "corrupted"
        ),
        **_weighted(0.5, "critical", "emergency", "urgent", "urgently", "immediately", "asap", "blocker", "blocking"),
        **_weighted(0.45, "failing", "failed", "failure", "fails", "broken", "stuck", "lost", "denied", "overflow"),
        **_weighted(0.4, "cannot", "can not", "unable", "can t", "won t", "not working", "stopped working", "timeout"),
        **_weighted(0.4, "timing out", "crash", "crashes", "rejected", "corruption", "vulnerability", "exploit"),
        **_weighted(0.3, "production", "prod", "customers", "checkout", "payment", "payments", "payroll", "orders"),
        **_weighted(0.3, "database", "server", "servers", "cluster", "network", "vpn", "error", "errors", "deadline"),
        **_weighted(0.2, "slow", "degraded", "intermittent", "bug", "issue", "problem", "wrong", "incorrect"),
        # It can wait.
        **_weighted(-0.5, "typo", "cosmetic", "toner", "when convenient", "no rush", "nice to have", "low priority"),
        **_weighted(-0.5, "not urgent", "whenever", "birthday", "coffee", "parking", "wallpaper", "lunch"),
        **_weighted(
            -0.35, "question", "wondering", "suggestion", "feature request", "feedback", "documentation", "how do i"
        ),
        **_weighted(-0.35, "would like", "please order", "new mouse", "new keyboard", "business cards", "newsletter"),
        **_weighted(
            -0.25, "minor", "printer", "request", "update my", "color", "colour", "rename", "training", "survey"
        ),
    },
    negations=frozenset(
        {"no", "not", "never", "without", "isn", "wasn", "aren", "won", "don", "doesn", "didn", "nor", "neither"}
    ),
    routes={
        "hardware": frozenset(
            {"laptop", "monitor", "keyboard", "mouse", "printer", "toner", "docking", "screen", "battery", "disk"}
        ),
        "access": frozenset({"password", "login", "account", "permission", "permissions", "locked", "mfa", "vpn"}),
        "hr support": frozenset({"leave", "payroll", "salary", "vacation", "onboarding", "benefits", "contract"}),
        "purchase": frozenset({"purchase", "order", "invoice", "quote", "buy", "license", "po"}),
        "storage": frozenset({"storage", "quota", "mailbox", "disk", "backup", "share", "space"}),
        "administrative rights": frozenset({"admin", "administrator", "rights", "sudo", "privileges", "elevated"}),
        "internal project": frozenset({"project", "milestone", "sprint", "release"}),
    },
    filler=frozenset({"and", "or", "other", "the", "of", "miscellaneous", "support"}),
)
"""Part of the product: it answers on a node that has no package, and its digest is in every such answer."""
