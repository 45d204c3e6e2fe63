"""The tiny package of the runtime's tests as a file that can be installed, with a trial set it passes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.inference import InferenceRequest
from holdfast.manifest import Default, Manifest
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.store.package import write_package
from tests.runtime import tiny

TEXTS = ("server down please help", "printer toner please", "hello")


@dataclass(frozen=True)
class TinyPackage:
    path: Path
    name: str = "tiny"


def write_tiny(path: Path, *, version: str = "1.0.0", name: str = "tiny", wrong: bool = False) -> TinyPackage:
    """Write it to `path`. `wrong`: its trial set expects what it does not answer, as after a bad build."""
    files = dict(tiny.files())
    manifest = tiny.manifest(files)
    files["trial.jsonl"] = _trial(manifest, files, wrong=wrong)
    files["reference.json"] = b"{}"
    manifest = msgspec.structs.replace(
        manifest, name=name, version=version, defaults={"cascade": Default(value=False)}, trial=_with_rows(manifest)
    )
    write_package(manifest, files, path)
    return TinyPackage(path, name)


def _with_rows(manifest: Manifest):
    return msgspec.structs.replace(manifest.trial, health_rows=len(TEXTS))


def _trial(manifest: Manifest, files: dict[str, bytes], *, wrong: bool) -> bytes:
    engine = LinearEngine(manifest, files)
    outputs = engine.answer(InferenceRequest(TEXTS, tiny.clock.monotonic_s() + 10))
    rows = []
    for text, output in zip(TEXTS, outputs, strict=True):
        heads = {}
        for head in manifest.heads:
            said = list(output.heads[head.name].probabilities)
            best = head.labels[said.index(max(said))]
            heads[head.name] = {"label": best, "probabilities": said[::-1] if wrong else said}
        rows.append(json.dumps({"text": text, "expected": {"small": heads}}))
    return "\n".join(rows).encode()
