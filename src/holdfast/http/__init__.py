"""Outside calls become calls on the node; errors become statuses."""
