"""Programs over trained runs: what jobs.evaluate and jobs.predict call."""
