"""Make tests/vectors/encoder/tokens.tsv: what 1,000 bundled tickets become, by a tokenizer that is not the node's.

    /tmp/torch/bin/python tools/make_golden_tokens.py MODEL_DIRECTORY data tests/vectors/encoder/tokens.tsv

The environment is that of make_reference_vectors.py: the ids come from the plain Python BERT tokenizer of transformers,
the node's from the `tokenizers` library. A line: file, row (from 0), number of tokens, first 16 digits of the SHA-256
of the ids joined by commas. Texts are cut at 256 tokens.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import sys
from pathlib import Path

from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

MAX_TOKENS = 256
CHOSEN = (
    ("it_service_tickets_train.csv.gz", ("text",), 400),
    ("nasa_pits_A-E.csv.gz", ("title", "body"), 300),
    ("vulnrichment_to_2024-06.csv.gz", ("title", "body"), 300),
)


def main() -> None:
    """Write the file named on the command line."""
    model, bundled, out = (Path(argument) for argument in sys.argv[1:4])
    tokenizer = BertTokenizerLegacy(str(model / "vocab.txt"), do_lower_case=True)
    lines = []
    for name, columns, count in CHOSEN:
        with gzip.open(bundled / name, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for number in range(count):
            row = number * len(rows) // count
            text = "\n".join(rows[row][column] for column in columns)
            ids = tokenizer.encode(text, truncation=True, max_length=MAX_TOKENS)
            digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:16]
            lines.append(f"{name}\t{row}\t{len(ids)}\t{digest}\n")
    out.write_text("".join(lines))


if __name__ == "__main__":
    main()
