"""Dialects: the trackers Holdfast speaks with, one per file, by the name a connection gives in `dialect`."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.apps.triage.dialect import Dialect
from holdfast.apps.triage.dialects.alertmanager import Alertmanager
from holdfast.apps.triage.dialects.generic import GENERIC
from holdfast.apps.triage.dialects.gitea import Gitea
from holdfast.apps.triage.dialects.github import GitHub
from holdfast.apps.triage.dialects.gitlab import GitLab
from holdfast.apps.triage.dialects.jira import Jira
from holdfast.apps.triage.dialects.otobo import Otobo
from holdfast.apps.triage.dialects.tasking_space import TASKING_SPACE
from holdfast.apps.triage.dialects.zammad import Zammad

__all__ = ["DIALECTS"]

DIALECTS: Mapping[str, Dialect] = {
    "generic": GENERIC,
    "alertmanager": Alertmanager(),
    "gitea": Gitea(),
    "github": GitHub(),
    "gitlab": GitLab(),
    "jira": Jira(),
    "otobo": Otobo(),
    "tasking-space": TASKING_SPACE,
    "zammad": Zammad(),
}
"""One row per tracker. Rows are instances: a dialect holds no state."""
