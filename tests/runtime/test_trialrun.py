"""Trying a variant on this machine before it may serve."""

from __future__ import annotations

import json

import msgspec
import psutil
import pytest

from holdfast.inference import InferenceRequest
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.runtime.sealed import UnverifiedModel
from holdfast.runtime.trialrun import VariantUnfit, check_rows, measure_variant, read_trial
from holdfast.tier import Tier
from tests.runtime import tiny
from tests.runtime.tiny import clock

CAP_BYTES = 512 << 20
TEXTS = ("server down", "printer toner", "please help")


def trial(*, off_by: float = 0.0, tier: Tier = Tier.SMALL) -> bytes:
    engine = LinearEngine(tiny.manifest(), tiny.files())
    rows = []
    for text in TEXTS:
        said = engine.answer(InferenceRequest(texts=(text,), deadline_s=clock.monotonic_s() + 5))[0].heads["route"]
        wrong = [said.probabilities[0] + off_by, *said.probabilities[1:]]
        rows.append({"text": text, "expected": {tier: {"route": {"label": "access", "probabilities": wrong}}}})
    return "\n".join(map(json.dumps, rows)).encode()


def measure(index: int, content: dict[str, bytes]):
    merged = {**tiny.files(), **content}
    manifest = tiny.manifest(merged)
    return measure_variant(manifest, manifest.variants[index], merged, clock=clock, memory_cap_bytes=CAP_BYTES)


def test_an_encoder_is_measured_in_a_worker_of_its_own_that_ends_with_it() -> None:
    before = psutil.Process().children()
    measured = measure(0, {"trial.jsonl": trial(tier=Tier.FULL)})
    assert 20 << 20 < measured.peak_rss_bytes < CAP_BYTES
    assert 0 < measured.p50_ms <= measured.p95_ms
    assert measured.size_bytes == len(tiny.graph()) + len(tiny.tokenizer())
    assert [child for child in psutil.Process().children() if child not in before] == []


def test_ngrams_are_measured_where_they_run() -> None:
    measured = measure(1, {"trial.jsonl": trial()})
    assert 0 < measured.p50_ms < 50
    assert measured.size_bytes == sum(len(tiny.files()[f"heads/{head}.ngram"]) for head in ("priority", "route"))


@pytest.mark.parametrize(("index", "tier"), [(0, Tier.FULL), (1, Tier.SMALL)])
def test_a_variant_that_answers_otherwise_than_promised_is_unfit(index, tier) -> None:
    with pytest.raises(VariantUnfit, match=r"trial row 1, head .route.: expected probabilities within 0\.01"):
        measure(index, {"trial.jsonl": trial(off_by=0.02, tier=tier)})


def test_a_variant_whose_vectors_differ_here_is_unfit_and_says_so() -> None:
    row = json.loads(tiny.known_vectors("server down"))
    row["embedding"][0] += 0.2
    with pytest.raises(VariantUnfit, match="variant tiny: known text 'server down': expected a cosine"):
        measure(0, {"trial.jsonl": trial(), "tiny/vectors.jsonl": json.dumps(row).encode()})


def test_a_variant_that_needs_more_than_the_cap_is_unfit() -> None:
    manifest = tiny.manifest({**tiny.files(), "trial.jsonl": trial()})
    files = {**tiny.files(), "trial.jsonl": trial()}
    with pytest.raises(VariantUnfit, match=r"its cap is 1 MiB|code 71|SIG"):
        measure_variant(manifest, manifest.variants[0], files, clock=clock, memory_cap_bytes=1 << 20)


def test_bytes_that_are_not_the_manifests_are_refused_before_they_run() -> None:
    manifest = tiny.manifest({**tiny.files(), "trial.jsonl": trial()})
    files = {**tiny.files(), "trial.jsonl": trial(), "tiny/graph.onnx": tiny.graph() + b"\0"}
    with pytest.raises(UnverifiedModel):
        measure_variant(manifest, manifest.variants[0], files, clock=clock, memory_cap_bytes=CAP_BYTES)


def test_a_trial_set_that_cannot_be_read_names_the_line() -> None:
    with pytest.raises(VariantUnfit, match="trial set, line 2"):
        read_trial(trial().splitlines()[0] + b"\n{}\n")


def test_an_answer_that_is_not_a_number_is_unfit() -> None:
    rows = [msgspec.structs.replace(row, text="x") for row in read_trial(trial(), limit=1)]
    with pytest.raises(VariantUnfit):
        check_rows(LinearEngine(tiny.manifest(), tiny.files()), rows, tolerance=float("nan"), clock=clock)
