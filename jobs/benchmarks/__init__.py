"""One module a case; each has ``run() -> rows of (what, sem3d, rival, unit)``, higher is faster."""
