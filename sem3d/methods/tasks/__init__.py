"""What representations are fine-tuned for."""
