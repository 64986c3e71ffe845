"""Single objects on disk: meshes, and renders in the layout of NMR's release."""
