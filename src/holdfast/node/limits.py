"""Settings as the small limits types that components take: no component ever sees the whole tree."""

from __future__ import annotations

from pathlib import Path

from holdfast.answer.answerer import AnswerLimits
from holdfast.answer.pressure import PressureLimits
from holdfast.apps.triage.keywords import KeywordMatcher
from holdfast.apps.triage.rules_file import NO_RULES, RuleSet
from holdfast.apps.triage.rules_watch import read_rules
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from holdfast.manifest import Manifest
from holdfast.runtime.limits import WorkerLimits
from holdfast.settings.loading import Loaded
from holdfast.settings.place import PROMOTED
from holdfast.settings.rubric import rubric_of
from holdfast.settings.tree import Settings
from holdfast.store.choice import InstallLimits
from holdfast.store.defaults import InvalidOverride, Value, effective_defaults
from holdfast.tier import Tier

__all__ = [
    "answer_limits",
    "install_limits",
    "package_values",
    "policy_of",
    "rules_path",
    "team_rules",
    "tolerant_values",
    "worker_limits",
]

_MIB = 1 << 20


def answer_limits(settings: Settings) -> AnswerLimits:
    """When heat or lack of memory puts the full tier to rest."""
    tiers = settings.tiers
    pressure = PressureLimits(
        hot_c=tiers.temperature_high_c,
        cooled_c=tiers.temperature_low_c,
        scarce_bytes=tiers.memory_low_mib * _MIB,
        ample_bytes=tiers.memory_ok_mib * _MIB,
        cooldown_s=tiers.cooldown_s,
    )
    return AnswerLimits(pressure=pressure)


def worker_limits(settings: Settings) -> WorkerLimits:
    """How many workers a model has, and when they are given up."""
    runtime = settings.runtime
    return WorkerLimits(
        workers=runtime.workers,
        lanes=runtime.lanes,
        max_waiting=runtime.max_waiting,
        memory_cap_bytes=runtime.worker_memory_mib * _MIB,
        ready_timeout_s=runtime.ready_timeout_s,
        hang_s=runtime.hang_s,
        idle_ttl_s=runtime.idle_unload_s or None,
    )


def package_values(settings: Settings, manifest: Manifest) -> dict[str, Value]:
    """The package's operating values with the operator's in their place. Raises InvalidOverride naming the key."""
    chosen = settings.packages.get(manifest.name)
    overrides: dict[str, Value] = dict(chosen.overrides) if chosen else {}
    if settings.tiers.cascade != "package" and "cascade" in manifest.defaults:
        overrides.setdefault("cascade", settings.tiers.cascade)
    return effective_defaults(manifest, overrides)


def tolerant_values(settings: Settings, manifest: Manifest) -> tuple[dict[str, Value], str]:
    """The same for a node that must serve: with an override that cannot be, the package's own values and why."""
    try:
        return package_values(settings, manifest), ""
    except InvalidOverride as error:
        return effective_defaults(manifest, {}), str(error)


def install_limits(settings: Settings) -> InstallLimits:
    """What an installed package may take on this node."""
    return InstallLimits(
        memory_budget_bytes=settings.runtime.package_memory_mib * _MIB,
        highest=Tier(settings.tiers.highest),
        pinned={name: chosen.variant for name, chosen in settings.packages.items() if chosen.variant},
    )


def policy_of(loaded: Loaded) -> Policy:
    """Everything of the operator's that a score depends on, compiled. Raises InvalidRules, InvalidRubric."""
    rubric = rubric_of(loaded.settings.triage)
    matcher = KeywordMatcher(read_builtin_vocabulary(rubric.languages), extra=rubric.keywords)
    path = rules_path(loaded)
    return Policy(rubric, matcher, read_rules(path) if path is not None else NO_RULES)


def rules_path(loaded: Loaded) -> Path | None:
    """Where the rule file is: relative names count from the configuration file."""
    name = loaded.settings.triage.rules_file
    return _beside_configuration(loaded, "triage", name) if name else None


def team_rules(loaded: Loaded) -> dict[str, tuple[Path, RuleSet]]:
    """The rules of each team that has its own, and where they are. Raises InvalidRules."""
    teams = {name: team.rules_file for name, team in loaded.settings.teams.items() if team.rules_file}
    paths = {name: _beside_configuration(loaded, f"teams.{name}", file) for name, file in teams.items()}
    return {name: (path, read_rules(path)) for name, path in paths.items()}


def _beside_configuration(loaded: Loaded, section: str, name: str) -> Path:
    """`name` beside the first file; what was promoted is beside the file that says so, wherever it was moved to."""
    said = Path(loaded.origins.get(f"{section}.rules_file", "").rpartition(":")[0])
    if said.name == PROMOTED:
        return said.absolute().parent / name
    base = loaded.files[0].absolute().parent if loaded.files else Path.cwd()
    return base / name
