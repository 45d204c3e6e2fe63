"""Registry: every tracker the fake can be."""

from __future__ import annotations

from collections.abc import Mapping

from tests.trackers.speakers.alertmanager import Alertmanager
from tests.trackers.speakers.gitea import Gitea
from tests.trackers.speakers.github import GitHub
from tests.trackers.speakers.gitlab import GitLab
from tests.trackers.speakers.jira import Jira
from tests.trackers.speakers.otobo import Otobo
from tests.trackers.speakers.rest import GENERIC, TASKING_SPACE
from tests.trackers.speakers.speaker import Speaker
from tests.trackers.speakers.zammad import Zammad

__all__ = ["SPEAKERS"]

SPEAKERS: Mapping[str, Speaker] = {
    speaker.name: speaker
    for speaker in (Alertmanager(), Gitea(), GitHub(), GitLab(), Jira(), Otobo(), TASKING_SPACE, GENERIC, Zammad())
}
