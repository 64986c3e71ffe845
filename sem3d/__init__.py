"""sem3d: distributed training of 3D-aware semantic representations on Ray."""
