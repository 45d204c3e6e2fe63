"""The index: scored tickets as vectors, to find past ones that resemble a new one."""
