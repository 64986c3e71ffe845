"""One grammar of furniture for single shapes and for rooms: a draw is a sketch of solids with parts, materials and keypoints.

:mod:`~sem3d.worlds.shapes.shape` and :mod:`~sem3d.worlds.rooms.piece` make their meshes of the same sketches.
"""
