"""Meaning of the pixels of an object in one picture, by way of its shape in 3D (2D-3D-2D, section 4)."""
