"""The clients people have: NVIDIA's, KServe's and OpenAI's own, from an environment of theirs, also while degraded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.served import Served, Start
from tests.stories.conftest import command, wait_for_tier

HERE = Path(__file__).parent
PYTHON = Path(__file__).parents[2] / ".cache" / "clients" / "bin" / "python"

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not PYTHON.exists(), reason="the clients' environment is missing; make test creates it"),
]


def _ask(script: str, node: Served, *arguments: str) -> Any:
    line = [str(PYTHON), "-W", "ignore", str(HERE / script), f"127.0.0.1:{node.port}", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, full_package: Path) -> Any:
    """One node with the full tier for the tests that only ask."""
    node = Served(tmp_path_factory.mktemp("clients"), "[trust]\nallow_unsigned = true\n")
    done = command(node, "package", "install", str(full_package))
    assert done.returncode == 0, done.stderr
    wait_for_tier(node, "full")
    yield node
    node.stop()


@pytest.mark.parametrize("form", ["binary", "json"])
def test_tritonclient_scores_texts_and_reads_the_real_tensors(serving: Served, form: str) -> None:
    seen = _ask("ask_triton.py", serving, "triage-en", form)
    assert seen["live"]
    assert seen["ready"]
    assert seen["model_ready"]
    assert seen["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert seen["outputs"] == ["priority", "priority_probabilities", "route", "score"]
    assert (seen["id"], seen["probabilities_shape"], len(seen["score"])) == ("req-1", [2, 4], 2)
    assert set(seen["priority"]) <= {"P0", "P1", "P2", "P3"}
    assert "no-such-model" in seen["refused"]


def test_kserve_scores_texts_with_protocol_v2(serving: Served) -> None:
    seen = _ask("ask_kserve.py", serving, "triage-en")
    assert seen["live"]
    assert seen["ready"]
    assert seen["model_ready"]
    assert (seen["id"], len(seen["score"]), len(seen["priority"])) == ("req-2", 2, 2)


def test_openai_embeds_texts_in_either_encoding_and_reads_the_errors(serving: Served) -> None:
    seen = _ask("ask_openai.py", serving)
    assert (seen["count"], seen["length"]) == (2, 384)
    assert seen["same"] < 1e-6
    assert abs(seen["norm"] - 1) < 1e-3
    assert "384" in seen["dimensions"]
    assert seen["unknown"]


def test_tritonclient_and_kserve_go_on_with_the_built_in_rules(start: Start) -> None:
    node = start()
    triton = _ask("ask_triton.py", node, "builtin", "binary")
    kserve = _ask("ask_kserve.py", node, "builtin")
    assert triton["parameters"]["tier"] == "rules"
    assert len(kserve["score"]) == 2
