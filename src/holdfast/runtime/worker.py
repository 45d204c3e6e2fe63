"""The worker: a child process that runs one model's native code, so that its end is not the node's.

Started as `python -m holdfast.runtime.worker CONTROL_FD PARENT_PID`. It reads a Load from the control socket, loads the
model from files it inherited, answers Ready, and then serves each lane on a thread of its own until the control socket
closes, which is how it learns that the node is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from holdfast.clock import Clock, SystemClock
from holdfast.runtime.engine import InvalidTokens
from holdfast.runtime.frames import EXIT_OUT_OF_MEMORY, EXIT_UNFIT, Ask, Load, Ping, Pong, Ready, Reply, Row, Unfit
from holdfast.runtime.known import check_vectors, read_vectors
from holdfast.runtime.onnx_engine import OnnxEncoder, UnfitModel
from holdfast.runtime.wire import Wire, WireClosed, WireLate

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
_OOM_SCORE = 800  # the kernel takes the worker before the node, and before most of its neighbours
_LOAD_WAIT_S = 30.0
_SEND_WAIT_S = 30.0  # longer than any deadline: a node that reads nothing for this long is gone
_ALLOCATION_WORDS = ("bad_alloc", "bad allocation", "allocate memory", "BFCArena", "out of memory")


def main() -> NoReturn:
    """Serve until the node closes the control socket; never returns."""
    control_fd, parent_pid = (int(argument) for argument in sys.argv[1:3])
    _die_with_parent(parent_pid)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # Ctrl-C and systemd tell every process: the node drains, then we end
        signal.signal(number, signal.SIG_IGN)
    clock = SystemClock(floor_at=datetime(1970, 1, 1, tzinfo=UTC))
    control = Wire(socket.socket(fileno=control_fd), clock)
    try:
        load = control.receive(deadline_s=clock.monotonic_s() + _LOAD_WAIT_S)
        if not isinstance(load, Load):
            os._exit(EXIT_UNFIT)
        encoder = _loaded(load, control, clock)
        for fd in load.lane_fds:
            lane = Wire(socket.socket(fileno=fd), clock)
            threading.Thread(target=_serve, args=(lane, encoder, clock), daemon=True).start()
        _stand_by(control, clock)
    except (WireClosed, WireLate):
        pass  # the node is gone
    except MemoryError:
        os._exit(EXIT_OUT_OF_MEMORY)
    os._exit(0)  # at once, whatever the lanes are computing


def _die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGKILL when the node ends, and end now if it ended before we asked."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(0)


def _loaded(load: Load, control: Wire, clock: Clock) -> OnnxEncoder:
    """The encoder, ready and known to answer right here; says so, or why not and ends."""
    _limit(load)
    started_s = clock.monotonic_s()
    try:
        encoder = OnnxEncoder(
            f"/proc/self/fd/{load.graph_fd}",
            f"/proc/self/fd/{load.tokenizer_fd}",
            max_tokens=load.max_tokens,
            token_budget=load.token_budget,
        )
        encoder.require({"features": load.features_dim, "embedding": load.embedding_dim})
        rows = read_vectors(load.vectors)
        lowest = check_vectors(encoder, rows, minimum_cosine=load.minimum_cosine) if rows else None
    except UnfitModel as error:
        if _is_allocation(error):
            os._exit(EXIT_OUT_OF_MEMORY)
        control.send(Unfit(sentence=str(error)), deadline_s=clock.monotonic_s() + _SEND_WAIT_S)
        os._exit(EXIT_UNFIT)
    load_ms = (clock.monotonic_s() - started_s) * 1e3
    ready = Ready(runtime=encoder.runtime, load_ms=round(load_ms, 1), lowest_cosine=lowest)
    control.send(ready, deadline_s=clock.monotonic_s() + _SEND_WAIT_S)
    return encoder


def _limit(load: Load) -> None:
    """Bound what this process may take; each bound is the kernel's to keep and none is needed to answer."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    with contextlib.suppress(OSError):
        os.nice(load.niceness)
    if load.data_limit_bytes:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (load.data_limit_bytes, load.data_limit_bytes))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold tickets


def _stand_by(control: Wire, clock: Clock) -> None:
    """Answer pings until the node closes the socket."""
    while True:
        frame = control.receive(deadline_s=math.inf)
        if isinstance(frame, Ping):
            control.send(Pong(frame.number), deadline_s=clock.monotonic_s() + _SEND_WAIT_S)


def _serve(lane: Wire, encoder: OnnxEncoder, clock: Clock) -> None:
    """Answer one lane, one request after the other; close it when what comes is no request."""
    with contextlib.suppress(WireClosed, WireLate):
        while isinstance(ask := lane.receive(deadline_s=math.inf), Ask):
            lane.send(_reply(ask, encoder, clock), deadline_s=clock.monotonic_s() + _SEND_WAIT_S)
    lane.close()


def _reply(ask: Ask, encoder: OnnxEncoder, clock: Clock) -> Reply:
    if clock.monotonic_s() > ask.deadline_s:
        return Reply(number=ask.number, fault="late")
    try:
        return Reply(number=ask.number, rows=tuple(_rows(ask, encoder)))
    except InvalidTokens as error:
        return Reply(number=ask.number, fault="invalid", sentence=str(error))
    except Exception as error:  # noqa: BLE001 - the worker's rim: the node hears of it, and answers from the tier below
        if _is_allocation(error):
            os._exit(EXIT_OUT_OF_MEMORY)  # an arena that failed once keeps failing; a fresh worker does not
        return Reply(number=ask.number, fault="failed", sentence=f"{type(error).__name__}: {error}"[:500])


def _rows(ask: Ask, encoder: OnnxEncoder) -> list[Row]:
    if ask.token_ids:
        encoder.check_tokens(ask.token_ids)
        return encoder.encode_tokens([(ids, False) for ids in ask.token_ids], ask.wanted)
    return encoder.encode(ask.texts, ask.wanted)


def _is_allocation(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(word in str(error) for word in _ALLOCATION_WORDS)


if __name__ == "__main__":
    main()
