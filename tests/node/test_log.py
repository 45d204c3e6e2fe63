"""The log, on a stream that somebody reads and on one that nobody does."""

from __future__ import annotations

import io
import json
import os
import threading
import time

from holdfast.node.log import Log


def test_lines_come_out_in_order_and_at_once() -> None:
    stream = io.StringIO()
    log = Log(stream)
    for number in range(100):
        log.info("counted", number=number)
    log.request("R-1", "score", 200, 0.001, caller="token desk")
    log.flush()
    assert log.settle(within_s=5.0)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["number"] for event in events[:-1]] == list(range(100))
    assert [events[-1][name] for name in ("event", "request_id", "caller")] == ["request", "R-1", "token desk"]


def test_a_stream_nobody_drains_stops_no_writer_and_says_later_what_was_lost() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as reader, os.fdopen(writing, "w", encoding="utf-8") as stream:
        log = Log(stream)
        begun = time.monotonic()
        for number in range(5_000):
            log.info("counted", number=number, padding="x" * 200)
        assert time.monotonic() - begun < 5.0
        assert not log.settle(within_s=0.05)
        events: list[dict[str, object]] = []

        def read() -> None:
            for line in reader:
                events.append(json.loads(line))
                if events[-1].get("number") == 4_999:
                    return

        reads = threading.Thread(target=read)
        reads.start()
        reads.join(10.0)
        assert not reads.is_alive()
        assert log.settle(within_s=5.0)
    lost = [event["count"] for event in events if event["event"] == "lines-lost"]
    counted = [event for event in events if event["event"] == "counted"]
    assert sum(lost) + len(counted) == 5_000  # every line is there or is counted


def test_a_closed_stream_costs_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    log = Log(stream)
    log.info("unheard")
    assert log.settle(within_s=5.0)
