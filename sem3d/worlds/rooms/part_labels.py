"""NYU40 labels of parts that differ from the piece they belong to."""

CABINET, PILLOW, SHOWER_CURTAIN, SINK = 3, 18, 28, 34
