"""Single-view reconstruction of 2D-3D-2D (section 4.2), ShapeHD's: 2.5D sketches, completion, naturalness."""
