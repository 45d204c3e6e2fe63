"""Watching the node itself: probes and alerts."""
