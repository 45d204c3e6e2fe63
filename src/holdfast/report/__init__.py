"""Reports: what the node can say about its own work, from local records only."""
