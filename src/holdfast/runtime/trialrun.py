"""A trial run: whether one variant answers on this machine as its package says, and what it costs here."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from holdfast.clock import Clock
from holdfast.errors import Refused
from holdfast.inference import InferenceRequest, TextOutput
from holdfast.manifest import Manifest, Measured, Variant
from holdfast.measure import Measures
from holdfast.runtime.cpu import cpu_class
from holdfast.runtime.engine import Engine, TierUnavailable
from holdfast.runtime.full_engine import FullEngine, FullLimits
from holdfast.runtime.limits import WorkerLimits
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.runtime.pool import WorkerPool
from holdfast.runtime.sealed import seal_model

__all__ = ["TrialRow", "VariantUnfit", "check_rows", "measure_variant", "read_trial"]

_STEP_S = 0.01
_REQUEST_S = 30.0
_TIMED_TEXTS = 64
_QUIET = 20  # quantiles are of at least this many calls


class VariantUnfit(Refused):
    """A variant that does not serve on this machine as its package says."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What one head said about a text where the package was built."""

    label: str
    probabilities: tuple[float, ...]


class TrialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a package's trial set."""

    text: str
    expected: dict[str, dict[str, Expected]]
    """Tier -> head -> what it said."""
    human: dict[str, str] = {}
    """Head -> the label a person gave."""


_DECODER = msgspec.json.Decoder(TrialRow)


def read_trial(lines: bytes | memoryview, *, limit: int | None = None) -> tuple[TrialRow, ...]:
    """The first `limit` rows of a trial set (JSONL). Raises VariantUnfit naming the line."""
    rows: list[TrialRow] = []
    for number, line in enumerate(bytes(lines).splitlines(), start=1):
        if limit is not None and len(rows) >= limit:
            break
        try:
            rows.append(_DECODER.decode(line))
        except msgspec.DecodeError as error:
            raise VariantUnfit(f"trial set, line {number}: {error}") from error
    return tuple(rows)


def check_rows(engine: Engine, rows: Sequence[TrialRow], *, tolerance: float, clock: Clock) -> None:
    """Ask `engine` every row one by one. Raises VariantUnfit for the first that differs by more than `tolerance`."""
    for number, row in enumerate(rows, start=1):
        output = _ask(engine, row.text, clock)
        for head, expected in row.expected.get(engine.tier, {}).items():
            _check_head(f"trial row {number}, head {head!r}", output, head, expected=expected, tolerance=tolerance)


def measure_variant(
    manifest: Manifest, variant: Variant, files: Mapping[str, bytes], *, clock: Clock, memory_cap_bytes: int
) -> Measured:
    """Check `variant` on the package's known vectors and health rows, and measure it; takes seconds.

    An encoder runs in a worker of its own, which ends with the call and with the calling thread. Raises VariantUnfit.
    """
    if variant.encoder is None:
        return _measured(manifest, variant, files, engine=LinearEngine(manifest, files), clock=clock)
    with _own_worker(manifest, variant, files, clock=clock, memory_cap_bytes=memory_cap_bytes) as pool:
        limits = FullLimits(cached_answers=0)
        engine = FullEngine(manifest, files, pool, limits=limits, measures=Measures())
        measured = _measured(manifest, variant, files, engine=engine, clock=clock)
        return msgspec.structs.replace(measured, peak_rss_bytes=_peak_rss_bytes(pool.pids[0]) if pool.pids else 0)


@contextmanager
def _own_worker(
    manifest: Manifest, variant: Variant, files: Mapping[str, bytes], *, clock: Clock, memory_cap_bytes: int
) -> Iterator[WorkerPool]:
    limits = WorkerLimits(lanes=1, memory_cap_bytes=memory_cap_bytes, ready_timeout_s=_REQUEST_S)
    model = seal_model(manifest, variant, files)
    pool = WorkerPool(manifest.name, model, limits=limits, clock=clock, measures=Measures())
    try:
        while not pool.ready:
            pool.step(clock.monotonic_s())
            for event in pool.events():
                if event.kind == "ended":
                    raise VariantUnfit(f"{manifest.name} {manifest.version}, variant {variant.name}: {event.sentence}")
            time.sleep(_STEP_S)
        yield pool
    finally:
        pool.close()


def _measured(
    manifest: Manifest, variant: Variant, files: Mapping[str, bytes], *, engine: Engine, clock: Clock
) -> Measured:
    rows = read_trial(files[manifest.trial.file], limit=max(manifest.trial.health_rows, _TIMED_TEXTS))
    check_rows(engine, rows[: manifest.trial.health_rows], tolerance=manifest.trial.tolerance, clock=clock)
    texts = [row.text for row in rows] or ["hello"]
    took_ms = []
    for _ in range(max(1, -(-_QUIET // len(texts)))):
        for text in texts:
            started_s = time.perf_counter()
            _ask(engine, text, clock)
            took_ms.append((time.perf_counter() - started_s) * 1e3)
    return Measured(
        machine=_machine(),
        size_bytes=_size_bytes(manifest, variant),
        p50_ms=round(statistics.median(took_ms), 3),
        p95_ms=round(statistics.quantiles(took_ms, n=20)[-1], 3),
        peak_rss_bytes=0,
        accuracy_delta=variant.measured.accuracy_delta if variant.measured else 0.0,
    )


def _ask(engine: Engine, text: str, clock: Clock) -> TextOutput:
    request = InferenceRequest(texts=(text,), deadline_s=clock.monotonic_s() + _REQUEST_S)
    try:
        return engine.answer(request)[0]
    except TierUnavailable as unavailable:
        raise VariantUnfit(f"variant {engine.variant} did not answer {text[:40]!r}: {unavailable}") from unavailable


def _check_head(where: str, output: TextOutput, head: str, *, expected: Expected, tolerance: float) -> None:
    if head not in output.heads:
        raise VariantUnfit(f"{where}: expected an answer, found none")
    found = output.heads[head].probabilities
    if len(found) != len(expected.probabilities):
        raise VariantUnfit(f"{where}: expected {len(expected.probabilities)} probabilities, found {len(found)}")
    worst = max(abs(one - other) for one, other in zip(found, expected.probabilities, strict=True))
    if not worst <= tolerance:  # also when it is not a number
        raise VariantUnfit(f"{where}: expected probabilities within {tolerance}, found one {worst:.4f} off")


def _size_bytes(manifest: Manifest, variant: Variant) -> int:
    """Bytes of the files that this variant alone needs: its encoder, or the n-gram tables."""
    if variant.encoder is not None:
        wanted = {variant.encoder.graph, variant.encoder.tokenizer}
    else:
        wanted = {head.ngram_file for head in manifest.heads}
    return sum(entry.size_bytes for entry in manifest.files if entry.path in wanted)


def _peak_rss_bytes(pid: int) -> int:
    """High-water mark of a process's resident memory, proc_pid_status(5) VmHWM; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), "0")
    return int(peak) * 1024


def _machine() -> str:
    return f"{os.uname().machine}, {cpu_class()}, {os.cpu_count()} cores"
