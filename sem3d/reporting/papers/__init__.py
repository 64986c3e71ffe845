"""Published tables, each with ours beside it."""
