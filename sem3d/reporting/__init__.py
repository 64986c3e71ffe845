"""Numbers for people: intervals, significance, tables, curves, pages, and the papers' own tables."""
