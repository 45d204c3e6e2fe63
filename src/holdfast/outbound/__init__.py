"""Outbound: the one allow-listed way out of the node."""
