"""Downstream tasks that representations are fine-tuned for."""
