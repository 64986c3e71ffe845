"""MLflow, by its only doorway: every call of its API stands here."""
