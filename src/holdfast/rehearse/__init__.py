"""Demonstrations and benchmarks: they drive a node from outside."""
