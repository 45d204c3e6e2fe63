"""Products on top of the flows; each a folder of its own."""
