"""Sweeps: many trainings side by side, compared over label budgets and seeds, and what a reviewer sees of them."""
