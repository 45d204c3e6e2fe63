"""Holdfast: offline-first edge AI. Read the root files from top to bottom to learn the product."""

__all__ = ["__version__"]

__version__ = "0.1.0"
