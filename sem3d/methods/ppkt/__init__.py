"""PPKT: 3D features learnt from a frozen 2D network."""
