"""The laptop side: import an encoder, quantise, train heads, make the trial set, build a package."""
