"""Generated indoor rooms with exact labels, written in ScanNet's own layout by :mod:`sem3d.worlds.rooms.write`."""
