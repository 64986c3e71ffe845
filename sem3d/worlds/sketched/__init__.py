"""Objects, generated or from disk, drawn from known viewpoints with 2.5D sketches, voxels and keypoints, as plain renders and
before backgrounds.
"""
