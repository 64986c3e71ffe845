"""Pure functions of arrays: cameras, projection, matches, voxels. No files, no networks.

Conventions of the whole project (fixed by ``tests/geometry/test_conventions.py`` on asymmetric scenes):

- Camera axes are OpenCV's: x right, y down, z forward. Lengths are metres.
- A transform is named ``target_from_source`` and maps column vectors; ``world_from_camera`` is a pose (4, 4).
- A pixel is ``(u, v)`` = (column, row); the centre of the top-left pixel is (0, 0), so an image of width ``w`` spans
  ``[-0.5, w - 0.5)``. A real position belongs to pixel ``floor(u + 0.5)``.
- Resizing by ``s`` maps ``u`` to ``(u + 0.5) * s - 0.5``; intrinsics follow the same rule.
- Depth is distance along the optical axis (z), float32, and 0 where there is none.
- An image size in code is ``(height, width)``, as in an array's shape.
- A voxel's integer index is ``floor(position / voxel_size)``; the released Pri3D truncates toward zero instead, which
  is available by name only.
- An object (:mod:`sem3d.geometry.object_views`) is centred with its longest side 1, in SoftRas's left-handed frame: x right,
  y up, z away, as view 0 sees it from 30 degrees above; image positions are then NDC, y up. Meshes on disk are right-handed.
"""
