"""The opened sources in Ray's object store: one copy a node, whatever the number of workers."""

from collections.abc import Mapping
from dataclasses import replace

import ray

from sem3d.methods.method import Sources


def put_in_store(sources: Sources) -> dict[str, ray.ObjectRef]:
    """Put the sources into Ray's object store once, for all workers; return references by name."""
    return {name: ray.put(samples) for name, samples in sources.items()}


def from_store(references: Mapping[str, ray.ObjectRef]) -> Sources:
    """Return the sources behind references; the processes of a node share one copy of each table."""
    return {name: replace(ray.get(reference), reference=reference) for name, reference in references.items()}
