"""Make tests/vectors/encoder/reference.json with torch, once, so that the tests need no torch.

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch transformers tokenizers numpy
    /tmp/torch/bin/python tools/make_reference_vectors.py MODEL_DIRECTORY tests/vectors/encoder/reference.json

MODEL_DIRECTORY is all-MiniLM-L6-v2 in the layout of sentence-transformers. The texts are cut at 256 tokens.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer

MAX_TOKENS = 256
MEAN_LAYERS = (2, 4, 6)

TEXTS = (
    "Production database is down, customers cannot check out.",
    "",
    " \t\n\r  \u00a0 ",
    "Printer out of toner",
    "VPN drops every few minutes since this morning; reconnecting helps for a while. Anyone else on the 3rd floor?",
    (
        "SELECT o.id, SUM(l.price * l.quantity) AS total FROM orders o LEFT JOIN lines l ON l.order_id = o.id "
        "WHERE o.created_at >= '2024-01-01' GROUP BY o.id HAVING SUM(l.price) > 100 ORDER BY total DESC LIMIT 10;"
    ),
    "🔥🔥 checkout is broken 😡 please fix ASAP 🙏🏽 👩‍💻",
    "Le serveur de messagerie ne répond plus depuis 8 h ; les employés n'ont plus accès à leurs boîtes.",
    "Der Drucker im dritten Stock druckt nur noch leere Seiten. Bitte möglichst bald prüfen!",
    "El sitio web muestra un error 500 al iniciar sesión, ¿pueden ayudarnos con urgencia?",
    "数据库连接失败，用户无法登录系统，请尽快处理。",  # noqa: RUF001 (a full-width comma is what people type)
    "データベースへの接続がタイムアウトします。至急ご確認ください。",
    "Сервер недоступен, пользователи не могут войти в систему.",
    "الخادم لا يستجيب منذ الصباح والمستخدمون لا يستطيعون الدخول",
    (
        'Traceback (most recent call last):\n  File "app.py", line 42, in <module>\n    main()\n'
        '  File "app.py", line 17, in main\n    return items[0]\nIndexError: list index out of range'
    ),
    "def fib(n: int) -> int:\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
    (
        "A heap-based buffer overflow in the image parser of Example Viewer before 3.2.1 allows remote attackers to "
        "execute arbitrary code via a crafted PNG file. CVE-2024-12345, CWE-122, CVSS:3.1/AV:N/AC:L/PR:N/S:U."
    ),
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "The nightly backup failed again with exit code 3 and nobody was told. " * 40,
    "please reset my password thanks",
)


def _vectors(model: Any, ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and embedding of one text."""
    with torch.inference_mode():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    means = [states[layer][0].double().mean(0) for layer in MEAN_LAYERS]
    features = torch.cat([*means, states[-1][0].double().max(0).values])
    return features, torch.nn.functional.normalize(means[-1], dim=0)


def _base64(vector: torch.Tensor, dtype: torch.dtype) -> str:
    return base64.b64encode(vector.to(dtype).numpy().tobytes()).decode()


def main() -> None:
    """Write the file named on the command line."""
    directory, out = Path(sys.argv[1]), Path(sys.argv[2])
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    model = transformers.AutoModel.from_pretrained(directory, attn_implementation="eager").eval()
    rows = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        features, embedding = _vectors(model, ids)
        rows.append(
            {
                "text": text,
                "ids": ids,
                "embedding_f32": _base64(embedding, torch.float32),
                "features_f16": _base64(features, torch.float16),
            }
        )
    made = {
        "encoder": "sentence-transformers/all-MiniLM-L6-v2",
        "made_with": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "max_tokens": MAX_TOKENS,
        "features": "mean of layers 2, 4, 6, then maximum of layer 6",
        "rows": rows,
    }
    out.write_text(json.dumps(made, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
