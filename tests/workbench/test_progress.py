"""Progress says the step, the share done and the time left, and is quiet where nobody watches."""

from __future__ import annotations

import io

from holdfast.workbench.progress import LineProgress, TerminalProgress, remaining_s


class _Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_time_left_follows_from_what_was_spent_on_weighted_steps() -> None:
    clock, out = _Clock(), io.StringIO()
    progress = LineProgress(out, weights={"encode": 30.0, "fit": 10.0}, clock_s=clock)
    progress.step("encode")
    clock.now_s = 90.0
    progress.step("fit")
    assert out.getvalue().splitlines() == ["  0%  encode", " 75%  fit, about 30 s left"]


def test_no_time_is_named_before_there_is_something_to_go_by() -> None:
    assert remaining_s(10.0, 0.01) is None
    assert remaining_s(10.0, 0.5) == 10.0


def test_a_bar_is_redrawn_in_place_and_not_more_than_five_times_a_second() -> None:
    clock, out = _Clock(), io.StringIO()
    progress = TerminalProgress(out, weights={"encode": 1.0}, clock_s=clock)
    progress.step("encode")
    for i in range(1000):
        clock.now_s = i / 1000
        progress.advance(i / 1000)
    assert 4 <= out.getvalue().count("\r") <= 7
    assert "\n" not in out.getvalue()


def test_a_step_never_goes_back() -> None:
    clock, out = _Clock(), io.StringIO()
    progress = TerminalProgress(out, weights={"encode": 1.0}, clock_s=clock)
    progress.step("encode")
    for share in (0.5, 0.2):
        clock.now_s += 1.0
        progress.advance(share)
    assert out.getvalue().count(" 50%") == 2
