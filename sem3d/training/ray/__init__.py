"""What of a training is Ray's: starting workers, sharing a cluster, and meeting its interruptions."""
