"""schemathesis asks everything the description allows, and much that it does not: nothing is answered 5xx."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.served import Served

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def _run(node: Served, *, examples: int, seed: int) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"http://127.0.0.1:{node.port}/openapi.json",
        *("--checks", CHECKS, "--max-examples", str(examples), "--seed", str(seed), "--no-color"),
        # 503 is an answer: without a package there are no embeddings, and the node says so.
        *("--exclude-path", "/v1/embeddings"),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=node.directory)


def test_nothing_that_can_be_asked_is_answered_by_a_server_error(node: Served) -> None:
    ended = _run(node, examples=8, seed=20261121)
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert "Tested: " in ended.stdout
    assert node.ask("GET", "/livez").status == 200


@pytest.mark.faults
def test_nothing_in_ten_times_as_many_questions_either(node: Served) -> None:
    ended = _run(node, examples=100, seed=7)
    assert ended.returncode == 0, ended.stdout[-4000:]
