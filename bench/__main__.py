"""`python -m bench [--only WORD] [--quick]`: print the goals table and write bench/out/goals.json."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import backlog, cost, durable, resilience, similar, standing
from bench.raw import raw_cpu_ms
from bench.rows import Row, printed
from bench.stage import Stage
from holdfast.rehearse.unseen import draw
from holdfast.store.package import open_package
from holdfast.workbench.reference import build_reference_package, unseen_tickets

_SHORTEST, _LONGEST = 20, 150  # words
OUT = Path(__file__).parent / "out"


def main() -> int:
    arguments = _arguments()
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as work:
        stage = _stage(Path(work), Path(arguments.cache), 400 if arguments.quick else 1600)
        graph, tokenizer = _model_files(stage)
        raw_ms = raw_cpu_ms(graph, tokenizer, stage.texts[:400])
        peer = standing.peer(stage, graph, tokenizer)
        print(f"raw limit {raw_ms:.2f} CPU ms per ticket; plain peer {peer}", file=sys.stderr)
        rows: list[Row] = []
        for name, scenario in _scenarios(stage, raw_ms, quick=arguments.quick).items():
            if arguments.only in name:
                print(f"… {name}", file=sys.stderr)
                rows += scenario()
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}",
        "raw_cpu_ms": round(raw_ms, 3),
        "plain_peer": peer,
        "rows": rows,
    }
    (OUT / "goals.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    print(printed(rows))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default="", help="run the scenarios whose name contains this")
    parser.add_argument("--quick", action="store_true", help="fewer tickets, seconds and kills")
    parser.add_argument("--cache", default=".cache", help="where make demo left the reference package")
    return parser.parse_args()


def _stage(work: Path, cache: Path, count: int) -> Stage:
    reference = build_reference_package(cache / "reference", cache / "weights", progress=sys.stderr)
    held = unseen_tickets(reference)
    usual = [ticket for ticket in held if _SHORTEST <= len(ticket.text.split()) <= _LONGEST]
    routed = [ticket for ticket in held if "route" in ticket.labels]
    return Stage(work, reference.package, draw(usual, per_head=count // 2), draw(routed, per_head=2 * count))


def _model_files(stage: Stage) -> tuple[Path, Path]:
    package = open_package(stage.package)
    encoder = next(variant.encoder for variant in package.manifest.variants if variant.encoder is not None)
    folder = stage.work / "model"
    folder.mkdir()
    for name, path in (("graph.onnx", encoder.graph), ("tokenizer.json", encoder.tokenizer)):
        (folder / name).write_bytes(package.read(path))
    return folder / "graph.onnx", folder / "tokenizer.json"


def _scenarios(stage: Stage, raw_ms: float, *, quick: bool) -> dict[str, Callable[[], list[Row]]]:
    return {
        "full": lambda: cost.full_tier(stage, raw_ms),
        "cascade": lambda: cost.cascade(stage),
        "small": lambda: cost.small_tier(stage),
        "overload": lambda: resilience.overload(stage, seconds=5 if quick else 20),
        "flood": lambda: resilience.flood(stage, seconds=5 if quick else 20),
        "kills": lambda: resilience.kills(stage, count=2 if quick else 20),
        "memory": lambda: standing.memory(stage),
        "cold": lambda: standing.cold_start(stage),
        "idle": lambda: standing.idle(stage, seconds=10 if quick else 30),
        "ledger": durable.ledger,
        "similar": lambda: similar.similar(stage.work),
        "backlog": lambda: backlog.backlog(stage, seconds=3 if quick else 8, rounds=2 if quick else 6),
    }


if __name__ == "__main__":
    sys.exit(main())
