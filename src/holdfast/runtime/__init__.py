"""Engines that turn text into probabilities: worker processes, n-grams in numpy, rules."""
