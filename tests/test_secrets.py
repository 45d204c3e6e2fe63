"""Nothing secret, and nothing of anybody's machine, is in the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECRETS = {
    "private key": rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
    "cloud key": rb"\bAKIA[0-9A-Z]{16}\b",
    "forge token": rb"\b(?:ghp|gho|ghs|glpat|xox[bap])[-_][A-Za-z0-9-]{20,}",
    "hub token": rb"\bhf_[A-Za-z0-9]{30,}",
    "password in an address": rb"[a-z]+://[^\s/:@'\"<>]+:[^\s/@'\"<>{}$]+@[a-z0-9.-]+",
}
MACHINE = rb"(?:^|[\s\"'=(])/(?:work|root|home/[a-z]+)/"
LARGEST_FILE_BYTES = 30 * 1000 * 1000


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts() -> dict[Path, bytes]:
    own = Path(__file__)
    return {path: path.read_bytes() for path in _tracked() if path.suffix not in {".gz", ".png"} and path != own}


@pytest.mark.parametrize("kind", SECRETS)
def test_no_tracked_file_holds_a_secret(texts: dict[Path, bytes], kind: str) -> None:
    assert [path for path, content in texts.items() if re.search(SECRETS[kind], content)] == []


def test_no_tracked_file_names_a_path_of_the_machine_it_was_written_on(texts: dict[Path, bytes]) -> None:
    assert [path for path, content in texts.items() if re.search(MACHINE, content, re.MULTILINE)] == []


def test_no_tracked_file_is_larger_than_a_repository_should_carry() -> None:
    assert [path for path in _tracked() if path.stat().st_size > LARGEST_FILE_BYTES] == []
