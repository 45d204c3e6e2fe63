"""Figures, not tests: every performance goal next to the raw limit and a plain peer, as JSON in bench/out/."""
