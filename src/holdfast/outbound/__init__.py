"""Outbound: the one way out; whatever leaves the node leaves through `gate.Outbound`."""
