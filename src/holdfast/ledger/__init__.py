"""The append-only, hash-chained record of what the node decided."""
