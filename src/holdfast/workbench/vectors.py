"""Known vectors: what a graph answers to fixed texts where it was built, checked again on every CPU it is served on."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from tokenizers import Tokenizer

from holdfast.runtime.known import KnownVector
from holdfast.workbench.quantise import open_graph

__all__ = ["KNOWN_TEXTS", "known_vectors"]

KNOWN_TEXTS: tuple[str, ...] = (
    "Production database is down, customers cannot check out.",
    "Printer out of toner",
    "",
    "Error 500 when saving an order; started after this morning's release, every user in the web shop is affected.",
    "SELECT id, total FROM orders WHERE created_at >= '2024-01-01' ORDER BY total DESC LIMIT 10;",
    "A heap-based buffer overflow in the image parser before 3.2.1 allows remote attackers to execute arbitrary code.",
    "Le serveur de messagerie ne répond plus depuis 8 h.",
    "数据库连接失败 用户无法登录系统。",
    "🔥 checkout is broken, please fix ASAP 🙏",
    "0x7fff5fbff8c0 0xdeadbeef /usr/lib/libc.so.6 [ERROR] worker exited with signal 11 (core dumped)",
    "The nightly backup failed again with exit code 3 and nobody was told. " * 30,
    "please reset my password thanks",
)
"""Written for this purpose, so that no ticket's text enters a package: plain, empty, long, code, other scripts."""
_DIGITS = 7


def known_vectors(graph: bytes, tokenizer: bytes, *, texts: Sequence[str] = KNOWN_TEXTS) -> bytes:
    """Return JSONL, one KnownVector a line: what `graph` and `tokenizer` make of `texts` on this machine."""
    session, encode = open_graph(graph), Tokenizer.from_str(tokenizer.decode())
    rows = []
    for text in texts:
        ids = encode.encode(text).ids
        (embedding,) = session.run(["embedding"], {"ids": np.array([ids], np.int64)})
        values = tuple(round(float(value), _DIGITS) for value in embedding[0])
        rows.append(msgspec.json.encode(KnownVector(text=text, ids=tuple(ids), embedding=values)))
    return b"\n".join(rows) + b"\n"
