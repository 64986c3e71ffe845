"""SSR: single-view reconstruction with viewpoint labels on a handful of objects."""
