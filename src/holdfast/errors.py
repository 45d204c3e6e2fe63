"""The base classes of every error Holdfast raises, split by what the caller does next.

    HoldfastError
    ├── Unavailable    retry: the same call may succeed later (`retry_after_s` says when)
    ├── Refused        refuse: the answer is no, and asking again will not change it
    ├── InvalidInput   fix the input: the caller sent something wrong (`field` says where)
    └── HumanNeeded    call a human: the node cannot repair this by itself

Each module defines its own subclasses beside its code. A message is one sentence: what, where, expected, found and,
where there is one, the next step. Errors know nothing of HTTP or exit codes; the surface has one table for each.
"""

from __future__ import annotations

__all__ = ["HoldfastError", "HumanNeeded", "InvalidInput", "Refused", "Unavailable", "kinds_of"]


class HoldfastError(Exception):
    """Anything Holdfast refuses to do or cannot do, with a sentence for the person who asked."""


class Unavailable(HoldfastError):
    """The same call may succeed later."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(HoldfastError):
    """The answer is no, and asking again will not change it."""


class InvalidInput(HoldfastError):
    """The caller sent something wrong and can mend it."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field
        """JSON pointer (`/metadata/deadline_at`) or dotted key (`triage.weights`) of what is wrong; empty: all."""


class HumanNeeded(HoldfastError):
    """The node cannot repair this by itself."""


def kinds_of(error: BaseException) -> tuple[str, ...]:
    """Names of the error's classes, most particular first: what crosses a wire instead of a class."""
    return tuple(kind.__name__ for kind in type(error).__mro__ if kind not in (object, BaseException, Exception))
