"""The verb `answer`: choose a route of tiers, ask them in turn, say who answered."""
