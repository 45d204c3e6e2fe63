"""The policy and the office the triage tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.apps.triage.keywords import KeywordMatcher
from holdfast.apps.triage.rubric import Rubric
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from tests.apps.triage.office import Office
from tests.apps.triage.office import open_office as office_at


@pytest.fixture(scope="session")
def matcher() -> KeywordMatcher:
    return KeywordMatcher(read_builtin_vocabulary())


@pytest.fixture(scope="session")
def policy(matcher: KeywordMatcher) -> Policy:
    return Policy(Rubric(), matcher)


@pytest.fixture
def open_office(tmp_path: Path, policy: Policy) -> Iterator[Callable[..., Office]]:
    """Opens offices on one directory and closes what the test left open."""
    opened: list[Office] = []

    def opens(policy_in_force: Policy = policy, **how) -> Office:
        opened.append(office_at(tmp_path, policy_in_force, **how))
        return opened[-1]

    yield opens
    for office in opened:
        office.desk.close()


@pytest.fixture
def office(open_office: Callable[..., Office]) -> Office:
    return open_office()
