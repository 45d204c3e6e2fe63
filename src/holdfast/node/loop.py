"""One named loop on a thread of its own: a step at a fixed cadence, none waiting for another."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast.measure import Measures
from holdfast.node.log import Log

__all__ = ["Loop"]

_STOP_S = 5.0


class Loop:
    """Calls `step` every `every_s` until `stop`. A step that fails is logged and counted, and the loop goes on."""

    def __init__(self, name: str, step: Callable[[], None], *, every_s: float, seen: tuple[Measures, Log]) -> None:
        self._name, self._step, self._every_s = name, step, every_s
        self._measures, self._log = seen
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def started(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that runs."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._step()
            except Exception as error:  # noqa: BLE001  # rim: a loop that died would leave the node blind
                self._measures.add("swallowed_errors_total", self._name)
                self._log.failure(
                    "loop-step-failed", loop=self._name, error=type(error).__name__, detail=str(error)[:300]
                )
