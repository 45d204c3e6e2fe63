"""Jobs: work that must be done once and may wait, kept through any crash."""
