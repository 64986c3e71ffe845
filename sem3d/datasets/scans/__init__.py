"""RGB-D scans on disk: their layouts, and the index that training reads."""
