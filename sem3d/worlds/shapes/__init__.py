"""Parametric families of single objects with a part label for each face and named keypoints, for systems that learn shapes.

A family draws topology and proportions in its own frame (z up, front at -y, so its left is +x); what leaves this package is a
:class:`~sem3d.worlds.shapes.shape.Shape` in ShapeNetCore's frame: y up, front at -z, so its left is -x, the
bounding box centred on the origin and its longest side 1.
"""
