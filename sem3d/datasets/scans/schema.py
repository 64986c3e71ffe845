"""The row kinds of an index: one Parquet file each, plain columns, no extension types.

An index is a folder that ``jobs/prepare.py`` writes beside (never inside) the data:

==================== ======================================================================================
``index.json``       format version, layout, absolute data root, parameters, counts, content digest
``frames.parquet``   one row an RGB-D frame, see :data:`FRAME_SCHEMA`
``pairs.parquet``    one row an overlapping pair of frames, see :data:`PAIR_SCHEMA`
``scenes.parquet``   one row a scene, see :data:`SCENE_SCHEMA`
``surface/``         one ``<scene>.parquet`` a scene: the reconstructed surface, see :data:`SURFACE_SCHEMA`
``quarantine.json``  what was left out: a list of ``{"source", "scene", "reason"}`` and the counts by reason
==================== ======================================================================================

Locators (``color``, ``depth``, ``label``, ``instance``) are paths relative to the data root, or ``<file>.sens#<n>`` for
the n-th frame inside a ``.sens`` file, or empty where a layout has none.
"""

import pyarrow as pa

FORMAT_VERSION = 2

FRAME_SCHEMA = pa.schema(
    [
        pa.field("scene", pa.string(), nullable=False),
        pa.field("frame", pa.int64(), nullable=False),  # the number the data set gives this frame inside its scene
        pa.field("split", pa.string(), nullable=False),  # "train", "val", "test"
        pa.field("color", pa.string(), nullable=False),
        pa.field("depth", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),  # 8-bit NYU40 ids, or empty
        pa.field("instance", pa.string(), nullable=False),  # 16-bit label * 1000 + instance, or empty
        pa.field("world_from_camera", pa.list_(pa.float64(), 16), nullable=False),  # row-major, metres
        pa.field("intrinsics_color", pa.list_(pa.float64(), 9), nullable=False),  # row-major, at the colour size
        pa.field("intrinsics_depth", pa.list_(pa.float64(), 9), nullable=False),  # row-major, at the depth size
        pa.field("color_height", pa.int32(), nullable=False),
        pa.field("color_width", pa.int32(), nullable=False),
        pa.field("depth_height", pa.int32(), nullable=False),
        pa.field("depth_width", pa.int32(), nullable=False),
        pa.field("depth_scale", pa.float64(), nullable=False),  # raw units a metre, 1000 for millimetres
    ]
)

PAIR_SCHEMA = pa.schema(
    [
        pa.field("scene", pa.string(), nullable=False),
        pa.field("anchor", pa.int32(), nullable=False),  # row number in frames.parquet
        pa.field("positive", pa.int32(), nullable=False),  # row number in frames.parquet
        pa.field("overlap", pa.float32(), nullable=False),  # in [0, 1], by the definition that index.json names
    ]
)

SCENE_SCHEMA = pa.schema(
    [
        pa.field("scene", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("surface", pa.string(), nullable=False),  # file name under surface/, or empty
    ]
)

SURFACE_SCHEMA = pa.schema(
    [
        pa.field("x", pa.float32(), nullable=False),  # world frame, metres
        pa.field("y", pa.float32(), nullable=False),
        pa.field("z", pa.float32(), nullable=False),
        pa.field("red", pa.uint8(), nullable=False),
        pa.field("green", pa.uint8(), nullable=False),
        pa.field("blue", pa.uint8(), nullable=False),
    ]
)
