"""Assembly: build every object once, own the loops, offer what the surface calls."""
