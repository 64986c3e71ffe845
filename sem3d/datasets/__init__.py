"""Disk to rows to Ray Data to batches. The register of layouts is in :mod:`sem3d.datasets.scans.layouts`."""
