"""The panel: every head of a package over one batch of texts, n-grams extracted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.errors import HumanNeeded
from holdfast.inference import Domain, HeadOutput, Stage, TextOutput
from holdfast.manifest import Head, HeadTier, Manifest
from holdfast.runtime.blend import blend, ngrams_suffice, softmax
from holdfast.runtime.encoder_head import EncoderHead
from holdfast.runtime.features import Features, Plan, extract, groups
from holdfast.runtime.gate import DomainGate
from holdfast.runtime.linear import LinearHead
from holdfast.tier import Tier

__all__ = ["Encoded", "Panel", "PanelIncomplete", "Reading"]

_EVIDENCE_WORDS = 5

Values = NDArray[np.float64]


class PanelIncomplete(HumanNeeded):
    """A package does not hold what a tier of its own manifest needs."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the encoder said about some texts of a reading."""

    positions: Sequence[int]
    """Which texts, in the order of `features`."""
    features: NDArray[np.float32]
    """(len(positions), d)"""
    truncated: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the n-grams say about a batch; asked for once, whichever tier answers."""

    parts: tuple[Features, ...]
    logits: dict[str, Values]
    """By head, (texts, classes)."""
    domains: dict[str, list[Domain]]

    @property
    def texts(self) -> int:
        """How many texts were read."""
        return sum(part.texts for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Seat:
    head: Head
    tier: HeadTier
    linear: LinearHead
    gate: DomainGate | None
    encoder: EncoderHead | None


class Panel:
    """The heads of one package as one tier serves them. Immutable: any number of threads may ask it."""

    def __init__(self, manifest: Manifest, files: Mapping[str, bytes | memoryview], *, tier: Tier) -> None:
        features_dim = max((v.encoder.features_dim for v in manifest.variants if v.encoder), default=0)
        self._seats = tuple(_seat(head, files, tier=tier, features_dim=features_dim) for head in manifest.heads)
        self._plan = Plan.over(head.ngram for head in manifest.heads)
        self._uses_encoder = any(seat.encoder for seat in self._seats)

    def read(self, texts: Sequence[str]) -> Reading:
        """Let every head's n-grams and gate look at `texts`."""
        parts = tuple(extract(group, self._plan) for group in groups(texts))
        logits = {}
        domains: dict[str, list[Domain]] = {}
        for seat in self._seats:
            name = seat.head.name
            found = [seat.linear.logits(part) for part in parts]
            logits[name] = found[0] if len(found) == 1 else _joined(found, len(seat.head.labels))
            domains[name] = (
                [kind for part in parts for kind in seat.gate.judge(part)] if seat.gate else [Domain.IN] * len(texts)
            )
        return Reading(parts, logits, domains)

    def undecided(self, reading: Reading, *, cascade: bool) -> list[int]:
        """The texts the encoder has to be asked about: all, or with the cascade those that n-grams are unsure of."""
        if not self._uses_encoder:
            return []
        if not cascade:
            return list(range(reading.texts))
        wanted = np.zeros(reading.texts, np.bool_)
        for seat in self._seats:
            if seat.encoder:
                inside = np.array([kind is Domain.IN for kind in reading.domains[seat.head.name]], np.bool_)
                sure = ngrams_suffice(seat.head, self._ngrams(seat, reading), cascade=True)
                wanted |= inside & ~sure
        return np.flatnonzero(wanted).tolist()

    def answer(self, reading: Reading, encoded: Encoded | None = None) -> tuple[TextOutput, ...]:
        """One output per text; heads that use the encoder use it for the texts that were encoded."""
        heads = [self._outputs(seat, reading, encoded) for seat in self._seats]
        names = [seat.head.name for seat in self._seats]
        cut = (
            {p for p, truncated in zip(encoded.positions, encoded.truncated, strict=True) if truncated}
            if encoded
            else ()
        )
        return tuple(
            TextOutput(heads=dict(zip(names, outputs, strict=True)), approximate=position in cut)
            for position, outputs in enumerate(zip(*heads, strict=True))
        )

    @staticmethod
    def _ngrams(seat: _Seat, reading: Reading) -> Values:
        return softmax(reading.logits[seat.head.name], seat.tier.temperature)

    def _outputs(self, seat: _Seat, reading: Reading, encoded: Encoded | None) -> list[HeadOutput]:
        head = seat.head
        probabilities = self._ngrams(seat, reading)
        stages = [Stage.NGRAM] * reading.texts
        if encoded is not None and seat.encoder is not None and len(encoded.positions):
            chosen = np.asarray(encoded.positions, np.int64)
            logits = seat.encoder.logits(encoded.features)
            probabilities[chosen] = blend(reading.logits[head.name][chosen], logits, seat.tier)
            for position in encoded.positions:
                stages[position] = Stage.ENCODER
        inside = [domain is Domain.IN for domain in reading.domains[head.name]]
        evidence = _evidence(seat.linear, reading, probabilities.argmax(axis=1), inside)
        return [
            HeadOutput(probabilities=tuple(row), stage=stage, evidence=words)
            if domain is Domain.IN
            else HeadOutput(probabilities=head.prior, stage=stage, domain=domain)
            for row, stage, domain, words in zip(
                probabilities.tolist(), stages, reading.domains[head.name], evidence, strict=True
            )
        ]


def _joined(found: Sequence[Values], classes: int) -> Values:
    return np.concatenate([np.empty((0, classes)), *found])


def _evidence(
    linear: LinearHead, reading: Reading, winners: NDArray[np.int64], wanted: Sequence[bool]
) -> list[tuple[tuple[str, float], ...]]:
    """Words for the texts inside the domain: outside it no word moved anything."""
    found: list[tuple[tuple[str, float], ...]] = []
    for part in reading.parts:
        some = slice(len(found), len(found) + part.texts)
        found += linear.evidence(part, winners[some], wanted=wanted[some], limit=_EVIDENCE_WORDS)
    return found


def _seat(head: Head, files: Mapping[str, bytes | memoryview], *, tier: Tier, features_dim: int) -> _Seat:
    how = head.tiers.get(tier.value)
    if how is None:
        raise PanelIncomplete(f"head {head.name!r}: expected tier {tier.value!r} among {sorted(head.tiers)}")
    classes = len(head.labels)
    linear = LinearHead.load(_file(files, head.ngram_file, head), spec=head.ngram, classes=classes)
    gate = encoder = None
    if head.gate is not None:
        content = _file(files, head.gate.file, head)
        gate = DomainGate.load(content, hash_bits=head.ngram.hash_bits, minimum=head.gate.minimum)
    if how.encoder_file is not None:
        content = _file(files, how.encoder_file, head)
        encoder = EncoderHead.load(content, features_dim=features_dim, classes=classes)
    return _Seat(head, how, linear, gate, encoder)


def _file(files: Mapping[str, bytes | memoryview], path: str, head: Head) -> bytes | memoryview:
    content = files.get(path)
    if content is None:
        raise PanelIncomplete(f"head {head.name!r}: expected file {path!r} in the package, found none of that name")
    return content
