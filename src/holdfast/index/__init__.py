"""The index: scored tickets as vectors, to find past ones that resemble a new one."""

from holdfast.index.vectors import Vectors

__all__ = ["Vectors"]
