"""FULL: when the worker is asked, and what is answered without it."""

from __future__ import annotations

import pytest

from holdfast.inference import InferenceRequest, Stage
from holdfast.measure import Measures
from holdfast.runtime.engine import TierUnavailable
from holdfast.runtime.full_engine import FullEngine, FullLimits
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.tier import Reason
from tests.runtime import tiny

SURE = "toner toner toner"
TEXTS = ("server down", "printer", SURE, "please help", "hello hello server")


def request(*texts: str) -> InferenceRequest:
    return InferenceRequest(texts=texts, deadline_s=tiny.clock.monotonic_s() + 5)


def full(pool, **limits) -> tuple[FullEngine, Measures]:
    measures = Measures()
    engine = FullEngine(tiny.manifest(), tiny.files(), pool, limits=FullLimits(**limits), measures=measures)
    return engine, measures


def test_a_repeated_text_is_answered_from_the_cache_even_without_a_worker() -> None:
    with tiny.supervised() as house:
        house.until_ready()
        engine, measures = full(house.pool)
        first = engine.answer(request("server down"))
        house.pool.close()
        assert engine.answer(request("server down")) == first
        with pytest.raises(TierUnavailable):
            engine.answer(request("something new"))
    assert measures.numbers()["embedding_cache_total"] == {("tiny", "hit"): 1.0, ("tiny", "miss"): 2.0}


def test_the_cache_holds_no_more_than_it_may() -> None:
    with tiny.supervised() as house:
        house.until_ready()
        engine, measures = full(house.pool, cached_answers=1)
        for text in ("a", "b", "a"):
            engine.answer(request(text))
    assert measures.numbers()["embedding_cache_total"] == {("tiny", "miss"): 3.0}


def test_only_the_head_that_the_encoder_helps_is_answered_by_it() -> None:
    with tiny.supervised() as house:
        house.until_ready()
        (output,) = full(house.pool)[0].answer(request("server down"))
    assert {name: head.stage for name, head in output.heads.items()} == {
        "priority": Stage.ENCODER,
        "route": Stage.NGRAM,
    }


def test_in_the_cascade_sure_texts_are_answered_by_ngrams_without_any_worker() -> None:
    small = LinearEngine(tiny.manifest(), tiny.files()).answer(request(*TEXTS))
    sure = [t for t, said in zip(TEXTS, small, strict=True) if _margin(said.heads["priority"].probabilities) >= 0.5]
    unsure = [text for text in TEXTS if text not in sure]
    assert sure, "the tiny package has texts of this kind"
    assert unsure, "and of this one"
    with tiny.supervised() as house:
        house.pool.close()
        engine, _ = full(house.pool, cascade=True)
        assert engine.answer(request(*sure))[0].heads["priority"].stage is Stage.NGRAM
        with pytest.raises(TierUnavailable) as refused:
            engine.answer(request(unsure[0]))
    assert refused.value.reason is Reason.NOT_READY


def _margin(probabilities: tuple[float, ...]) -> float:
    first, second = sorted(probabilities, reverse=True)[:2]
    return first - second


def test_a_text_cut_to_the_window_is_approximate() -> None:
    with tiny.supervised() as house:
        house.until_ready()
        short, long = full(house.pool)[0].answer(request("server down", "server down " * 30))
    assert (short.approximate, long.approximate) == (False, True)


def test_without_a_worker_it_says_what_it_lacks_and_does_not_refuse() -> None:
    with tiny.supervised() as house:
        house.pool.close()
        condition = full(house.pool)[0].condition(1)
    assert (condition.refuses, condition.lacks) == (None, Reason.NOT_READY)
