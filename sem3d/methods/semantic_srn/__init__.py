"""Semantic SRN: shape, looks and part labels of objects from posed images and a few masks."""
