"""Training a package from a thousand bundled tickets, encoder included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from holdfast.inference import Domain, InferenceRequest, Stage
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.runtime.panel import Encoded, Panel
from holdfast.tier import Tier
from holdfast.workbench.bundled import load_head
from holdfast.workbench.embedding import Embedder
from holdfast.workbench.plan import HeadPlan, TrainingPlan
from holdfast.workbench.planning import head_from_split
from holdfast.workbench.splits import at_random, chronological
from holdfast.workbench.trainer import TrainedPackage, train

EVERY = {"route": 32, "priority": 24}
VULNERABILITY = (
    "SQL injection in Example Shop before 2.1 allows remote attackers to execute arbitrary SQL commands via the id "
    "parameter of the product page."
)


@dataclass(frozen=True)
class Small:
    """A plan over a few real tickets, and the package it gives."""

    plan: TrainingPlan
    package: TrainedPackage


def _head(name: str) -> HeadPlan:
    tickets = load_head(name).reading.tickets[:: EVERY[name]]
    split = at_random(tickets, share=0.2, seed=1) if name == "route" else chronological(tickets, share=0.2)
    return head_from_split(name, tickets, split=split)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def small(public_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Small:
    plan = TrainingPlan(
        name="small",
        version="1.0.0",
        description="For tests.",
        heads=(_head("priority"), _head("route")),
        encoder_dir=public_weights,
        encoder_name="all-MiniLM-L6-v2",
        seed=3,
        encoder_rows=500,
        trial_rows=20,
        cache=tmp_path_factory.mktemp("embeddings"),
    )
    return Small(plan, train(plan))


def test_two_trainings_give_the_same_bytes(small: Small) -> None:
    # BLAS keeps to one thread inside `train`: another number would add in another order.
    again = train(small.plan)
    assert again.files == small.package.files
    assert again.manifest == small.package.manifest


def test_the_seed_is_what_makes_trainings_differ(small: Small) -> None:
    route = small.plan.heads[1]
    plans = [replace(small.plan, heads=(route,), encoder_dir=None, seed=seed) for seed in (3, 4)]
    one, two = (train(plan).files["trial.jsonl"] for plan in plans)
    assert one != two


def test_every_tier_serves_every_head_and_every_file_is_listed(small: Small) -> None:
    manifest = small.package.manifest
    assert [set(head.tiers) for head in manifest.heads] == [{"full", "small"}] * 2
    assert {entry.path for entry in manifest.files} == set(small.package.files)
    assert [variant.tier for variant in manifest.variants] == [Tier.FULL, Tier.SMALL]


def test_the_trial_set_expects_what_the_small_tier_answers(small: Small) -> None:
    manifest, files = small.package.manifest, small.package.files
    rows = [msgspec.json.decode(line) for line in files["trial.jsonl"].splitlines()]
    outputs = LinearEngine(manifest, files).answer(
        InferenceRequest(texts=tuple(row["text"] for row in rows), deadline_s=1e9)
    )
    assert len(rows) == 40
    for row, output in zip(rows, outputs, strict=True):
        for name, said in output.heads.items():
            expected = row["expected"]["small"][name]["probabilities"]
            np.testing.assert_allclose(said.probabilities, expected, atol=1e-5)


def test_held_out_tickets_are_in_no_training_step(small: Small) -> None:
    learnt = {ticket.text for head in small.plan.heads for ticket in head.train}
    held = {ticket.text for head in small.plan.heads for ticket in head.held}
    trial = {msgspec.json.decode(line)["text"] for line in small.package.files["trial.jsonl"].splitlines()}
    assert trial <= held
    assert not trial & learnt


def test_reports_and_promises_are_about_the_hold_out(small: Small) -> None:
    for plan, report in zip(small.plan.heads, small.package.heads, strict=True):
        assert {tier.figures.rows for tier in report.tiers} == {len(plan.held)}
        assert report.tiers[0].figures.macro_f1 > 1.2 / len(report.labels)
    assert set(small.package.manifest.trial.promise.quality) == {"priority", "route"}


def test_a_stage_that_did_not_earn_its_place_is_not_in_the_package(small: Small) -> None:
    for head, report in zip(small.package.manifest.heads, small.package.heads, strict=True):
        full = head.tiers["full"]
        assert (full.stage == "encoder") == ("both are served" in report.choice)
        assert (full.encoder_file in small.package.files) == (full.stage == "encoder")
        assert report.candidates["both"] > 0


def test_the_full_tier_says_which_machinery_answered(small: Small) -> None:
    manifest, files = small.package.manifest, small.package.files
    embedder = Embedder(files["encoder/int8.onnx"], files["encoder/tokenizer.json"], 256)
    text = "laptop screen broken need new monitor"
    features, truncated = embedder.features([text])
    panel = Panel(manifest, files, tier=Tier.FULL)
    (output,) = panel.answer(panel.read([text]), Encoded([0], features, truncated))
    for head in manifest.heads:
        assert output.heads[head.name].stage == Stage(head.tiers["full"].stage)


def test_texts_of_another_kind_get_the_prior_and_say_so(small: Small) -> None:
    manifest = small.package.manifest
    engine = LinearEngine(manifest, small.package.files)
    texts = (VULNERABILITY, "printer out of toner please help", "Die Datenbank ist ausgefallen, niemand kann zahlen")
    inside, outside, foreign = (
        output.heads["priority"] for output in engine.answer(InferenceRequest(texts=texts, deadline_s=1e9))
    )
    assert inside.domain is Domain.IN
    assert (outside.domain, outside.probabilities) == (Domain.OUT, manifest.heads[0].prior)
    assert (foreign.domain, foreign.probabilities) == (Domain.LANGUAGE, manifest.heads[0].prior)


def test_evidence_is_made_of_words_of_the_text(small: Small) -> None:
    engine = LinearEngine(small.package.manifest, small.package.files)
    (output,) = engine.answer(InferenceRequest(texts=(VULNERABILITY,), deadline_s=1e9))
    evidence = output.heads["priority"].evidence
    assert 1 <= len(evidence) <= 8
    assert all(word in VULNERABILITY.lower() and pull > 0 for word, pull in evidence)
