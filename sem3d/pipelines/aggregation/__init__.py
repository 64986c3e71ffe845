"""Aggregation of keypoints that several people marked independently (2D-3D-2D, section 3.4): never released by its authors."""
