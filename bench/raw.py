"""The limit: the same graph and tokenizer in this process, one text after the other, one thread."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def raw_cpu_ms(graph: Path, tokenizer_path: Path, texts: list[str]) -> float:
    """CPU milliseconds per text of tokenising and running the graph, warmed up."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options)
    tokenizer = Tokenizer.from_file(str(tokenizer_path))

    def run(text: str) -> None:
        session.run(["features"], {"ids": np.asarray([tokenizer.encode(text).ids], dtype=np.int64)})

    for text in texts[:20]:
        run(text)
    started_s = time.process_time()
    for text in texts:
        run(text)
    return (time.process_time() - started_s) * 1000 / len(texts)
