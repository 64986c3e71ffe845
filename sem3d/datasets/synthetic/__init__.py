"""Generated indoor rooms with exact labels, written in ScanNet's own layout: :func:`~sem3d.datasets.synthetic.write.write_rooms`."""
