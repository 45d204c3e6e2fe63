"""The SMALL tier: n-grams in the node's own process, numpy only."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping

import numpy as np

from holdfast.inference import InferenceRequest, TextOutput
from holdfast.manifest import Manifest
from holdfast.runtime.engine import Condition
from holdfast.runtime.panel import Panel
from holdfast.tier import Tier

__all__ = ["LinearEngine"]

_FIRST_GUESS_S = 0.0002  # seconds per text before anything was measured
_SMOOTHING = 0.05


class LinearEngine:
    """Answers with every head's n-grams. Its smoothed cost is a plain float: a torn update is impossible in CPython."""

    tier = Tier.SMALL

    def __init__(self, manifest: Manifest, files: Mapping[str, bytes | memoryview]) -> None:
        self._panel = Panel(manifest, files, tier=Tier.SMALL)
        self._variant = next((v.name for v in manifest.variants if v.tier is Tier.SMALL), "ngram")
        self._runtime = f"numpy-{np.__version__}/{platform.machine()}"
        self._seconds_per_text = _FIRST_GUESS_S

    @property
    def variant(self) -> str:
        """See Engine."""
        return self._variant

    @property
    def runtime(self) -> str:
        """Sums are of integers; numpy's own `exp` is the one thing that may differ, so its version is named."""
        return self._runtime

    def answer(self, request: InferenceRequest) -> tuple[TextOutput, ...]:
        """See Engine. It cannot be unavailable, and takes well under a millisecond per text."""
        started = time.thread_time()  # its own work: waiting for the interpreter is not shorter in the tier below
        outputs = self._panel.answer(self._panel.read(request.texts))
        if request.texts:
            spent = (time.thread_time() - started) / len(request.texts)
            self._seconds_per_text += _SMOOTHING * (spent - self._seconds_per_text)
        return outputs

    def condition(self, text_count: int) -> Condition:
        """See Engine."""
        return Condition(service_s=text_count * self._seconds_per_text)

    def release(self) -> None:
        """See Engine. Weights are the package's verified bytes: nothing here can be had again."""
