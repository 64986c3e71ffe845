"""Ray's part of a training: starting workers, sharing a cluster, and meeting its interruptions."""
