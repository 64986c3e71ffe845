"""Distances along the surface that points were sampled from: shortest paths from neighbour to neighbour.

KeypointNet's ``benchmark_scripts/utils.py`` takes the 20 nearest neighbours of each point, either way, as edges.
"""

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

NEIGHBOURS = 20


def neighbour_graph(points: Float[np.ndarray, "point 3"], neighbours: int = NEIGHBOURS) -> csr_matrix:
    """Return the graph whose edges join each point to its nearest ones, with their lengths; a path may go them either way."""
    count = len(points)
    own = min(neighbours, count - 1)
    lengths, others = cKDTree(points).query(points.astype(np.float64), own + 1)
    lengths, others = lengths.reshape(count, own + 1), others.reshape(count, own + 1)
    # A point is its own first neighbour, except among copies of it, where any may come first.
    own_place = others == np.arange(count)[:, None]
    own_place[~own_place.any(axis=1), -1] = True
    kept = ~own_place
    rows = np.repeat(np.arange(count), own)
    return csr_matrix((lengths[kept], (rows, others[kept])), shape=(count, count))


def geodesic_distances(
    points: Float[np.ndarray, "point 3"], sources: Int[np.ndarray, " source"], neighbours: int = NEIGHBOURS
) -> Float64[np.ndarray, "source point"]:
    """Return lengths of the shortest paths from the points of index ``sources`` to all; infinite where there is no path."""
    return dijkstra(neighbour_graph(points, neighbours), directed=False, indices=sources)
