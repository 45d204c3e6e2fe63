"""The FULL tier: the encoder in a worker process and n-grams in the node, blended head by head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from holdfast.inference import InferenceRequest, TextOutput
from holdfast.manifest import Manifest
from holdfast.measure import Measures
from holdfast.runtime.cache import BoundedCache, text_key
from holdfast.runtime.engine import Condition
from holdfast.runtime.panel import Encoded, Panel
from holdfast.runtime.pool import WorkerPool
from holdfast.tier import Tier

__all__ = ["FullEngine", "FullLimits"]


@dataclass(frozen=True, slots=True)
class FullLimits:
    """How the FULL tier spends its work."""

    cascade: bool = False
    """N-grams answer alone where they are sure, at the margin each head declares."""
    cached_answers: int = 2048
    """About 3 kB each; 0: none."""


class FullEngine:
    """Any number of threads may ask it. It owns no worker: the pool does, and may have none at the moment."""

    tier = Tier.FULL

    def __init__(
        self,
        manifest: Manifest,
        files: Mapping[str, bytes | memoryview],
        pool: WorkerPool,
        *,
        limits: FullLimits,
        measures: Measures,
    ) -> None:
        """Raises PanelIncomplete, TensorsUnreadable for files that do not fit the manifest."""
        self._panel = Panel(manifest, files, tier=Tier.FULL)
        self._pool, self._measures, self._package = pool, measures, manifest.name
        self._needs_encoder = any(head.tiers[Tier.FULL].encoder_file for head in manifest.heads)
        self._cascade = limits.cascade and any(head.cascade_margin is not None for head in manifest.heads)
        self._cache: BoundedCache[TextOutput] = BoundedCache(limits.cached_answers)
        self._model = pool.model_digest

    @property
    def variant(self) -> str:
        """See Engine."""
        return self._pool.variant

    @property
    def runtime(self) -> str:
        """See Engine."""
        return self._pool.runtime

    def answer(self, request: InferenceRequest) -> tuple[TextOutput, ...]:
        """See Engine. What is cached, or what n-grams may decide alone, needs no worker."""
        keys = [text_key(self._model, text) for text in request.texts]
        known = [self._cache.get(key) for key in keys]
        missing = [i for i, output in enumerate(known) if output is None]
        self._count(hits=len(keys) - len(missing), misses=len(missing))
        fresh = self._judge([request.texts[i] for i in missing], request.deadline_s)
        for i, output in zip(missing, fresh, strict=True):
            known[i] = output
            self._cache.put(keys[i], output)
        return tuple(output for output in known if output is not None)

    def condition(self, text_count: int) -> Condition:
        """See Engine. Without a worker it still answers what is cached or what n-grams decide, so it never refuses."""
        condition = self._pool.condition(text_count)
        if condition.refuses is not None:
            return replace(condition, refuses=None, lacks=condition.refuses)
        if self._cascade:  # most texts will not queue; those that would are looked at when they are known
            return replace(condition, wait_s=0.0, service_s=0.0)
        return condition

    def release(self) -> None:
        """See Engine."""
        self._cache.clear()
        self._pool.release()

    def _judge(self, texts: Sequence[str], deadline_s: float) -> tuple[TextOutput, ...]:
        if not texts:
            return ()
        if not self._needs_encoder:
            return self._panel.answer(self._panel.read(texts))
        if not self._cascade:  # the worker first: when it cannot, nothing was done for nothing
            encoded = self._encode(range(len(texts)), texts, deadline_s)
            return self._panel.answer(self._panel.read(texts), encoded)
        reading = self._panel.read(texts)
        unsure = self._panel.undecided(reading, cascade=True)
        return self._panel.answer(reading, self._encode(unsure, texts, deadline_s) if unsure else None)

    def _encode(self, positions: Sequence[int], texts: Sequence[str], deadline_s: float) -> Encoded:
        rows = self._pool.ask([texts[i] for i in positions], wanted="features", deadline_s=deadline_s)
        features = np.stack([np.frombuffer(row.vector, np.float32) for row in rows])
        return Encoded(positions, features, [row.truncated for row in rows])

    def _count(self, *, hits: int, misses: int) -> None:
        if hits:
            self._measures.add("embedding_cache_total", self._package, "hit", amount=hits)
        if misses:
            self._measures.add("embedding_cache_total", self._package, "miss", amount=misses)
