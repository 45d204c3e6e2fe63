"""The plain peer: what a careful engineer writes in an afternoon with Starlette and ONNX Runtime.

One process, the same graph and tokenizer as the package, one thread per session, no ledger, no tiers, no limits.
Run as `python -m bench.peer GRAPH TOKENIZER PORT`.
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tokenizers import Tokenizer


def build(graph: str, tokenizer_path: str) -> Starlette:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options)
    tokenizer = Tokenizer.from_file(tokenizer_path)

    def embed(text: str) -> list[float]:
        ids = np.asarray([tokenizer.encode(text).ids], dtype=np.int64)
        return session.run(["embedding"], {"ids": ids})[0][0].tolist()

    async def score(request: Request) -> JSONResponse:
        ticket = await request.json()
        embedding = await run_in_threadpool(embed, ticket["title"] + "\n" + ticket["description"])
        return JSONResponse({"id": ticket["id"], "norm": sum(x * x for x in embedding)})

    return Starlette(routes=[Route("/v1/triage/score", score, methods=["POST"])])


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[1], sys.argv[2]), host="127.0.0.1", port=int(sys.argv[3]), log_level="error")
