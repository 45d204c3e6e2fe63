"""Parts of a loop's step that fail one by one: what goes wrong in one of them never skips the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.measure import Measures
from holdfast.node.log import Log

__all__ = ["Guard"]


class Guard:
    """Counts what a part raises, and logs it when it is not what the same part raised last."""

    def __init__(self, loop: str, *, seen: tuple[Measures, Log]) -> None:
        self._loop = loop
        self._measures, self._log = seen
        self._last: dict[str, str] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Run one part; afterwards the step goes on whatever happened."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # rim: the parts after it must run
            self._measures.add("swallowed_errors_total", self._loop)
            detail = f"{type(error).__name__}: {error}"[:300]
            if self._last.get(name) != detail:
                self._last[name] = detail
                self._log.failure("loop-part-failed", loop=self._loop, part=name, detail=detail)
        else:
            self._last.pop(name, None)
