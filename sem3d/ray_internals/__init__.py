"""Ray's private modules, by their only doorway: what Ray 2.60 offers no public way to."""
