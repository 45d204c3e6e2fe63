"""What every engine promises, whatever it runs on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.inference import InferenceRequest, Stage
from holdfast.measure import Measures
from holdfast.runtime.engine import Condition, Engine
from holdfast.runtime.full_engine import FullEngine, FullLimits
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.runtime.rules_engine import RulesEngine, rules_heads
from holdfast.runtime.rules_table import BUILTIN_TABLE
from holdfast.tier import Tier
from tests.runtime import tiny

TEXTS = (
    "server down",
    "",
    "printer out of toner, please",
    "Der Drucker ist kaputt 🖨️",
    "line\nbreak\ttab\x00nul",
    "word " * 5000,
    "lone \ud800 surrogate",
)
STAGES = {Tier.FULL: {Stage.ENCODER, Stage.NGRAM}, Tier.SMALL: {Stage.NGRAM}, Tier.RULES: {Stage.RULES}}


@pytest.fixture(scope="module", params=["full", "full-cascade", "small", "rules"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    manifest, files = tiny.manifest(), tiny.files()
    if request.param == "small":
        yield LinearEngine(manifest, files)
    elif request.param == "rules":
        yield RulesEngine(BUILTIN_TABLE, rules_heads(manifest.heads))
    else:
        limits = FullLimits(cascade=request.param == "full-cascade")
        with tiny.supervised() as house:
            house.until_ready()
            yield FullEngine(manifest, files, house.pool, limits=limits, measures=Measures())


def ask(engine: Engine, *texts: str):
    return engine.answer(InferenceRequest(texts=texts, deadline_s=tiny.clock.monotonic_s() + 10))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
def test_every_text_gets_probabilities_for_every_head(engine: Engine, text: str) -> None:
    (output,) = ask(engine, text)
    for head in tiny.heads():
        said = output.heads[head.name]
        assert len(said.probabilities) == len(head.labels)
        assert math.isclose(sum(said.probabilities), 1.0, abs_tol=1e-6)
        assert said.stage in STAGES[engine.tier]


def test_outputs_come_in_the_order_of_the_texts(engine: Engine) -> None:
    assert ask(engine, *TEXTS) == tuple(ask(engine, text)[0] for text in TEXTS)


def test_no_text_gives_no_output(engine: Engine) -> None:
    assert ask(engine) == ()


def test_the_same_text_gets_the_same_answer_from_many_threads(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: ask(engine, "server down, please help"), range(64)))
    assert len(set(map(repr, answers))) == 1


def test_evidence_is_short_and_strongest_first(engine: Engine) -> None:
    for said in ask(engine, "production server down, printer toner please help")[0].heads.values():
        strengths = [abs(strength) for _, strength in said.evidence]
        assert len(strengths) <= 8
        assert strengths == sorted(strengths, reverse=True)


def test_it_names_its_tier_variant_and_runtime(engine: Engine) -> None:
    assert engine.tier in Tier
    assert engine.variant
    assert engine.runtime.partition("-")[0] in {"onnxruntime", "numpy", "rules"}


def test_its_condition_never_blocks_and_grows_with_the_work(engine: Engine) -> None:
    one, many = engine.condition(1), engine.condition(1000)
    assert isinstance(one, Condition)
    assert one.refuses is None
    assert one.service_s <= many.service_s


def test_it_still_answers_after_it_was_asked_for_its_memory() -> None:
    engine = RulesEngine(BUILTIN_TABLE)
    engine.release()
    assert len(ask(engine, "hello")) == 1
