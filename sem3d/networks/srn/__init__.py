"""Scene representation networks (Sitzmann et al., 1906.01618): a hypernetwork, the field it makes, and what renders that."""
