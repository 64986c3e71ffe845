"""Labels of points by majority: other points vote for the voxels that these lie in."""

import numpy as np
from jaxtyping import Float, UInt8

from sem3d.geometry.voxels import pack, voxel_indices


class VoxelVotes:
    """Votes for labels 1 to ``labels`` - 1 of the voxels that ``points`` lie in; memory is that of one count a voxel and label.

    Raises ValueError as :func:`sem3d.geometry.voxels.pack`.
    """

    def __init__(self, points: Float[np.ndarray, "point 3"], voxel_size: float, labels: int):
        self.voxel_size = voxel_size
        self._voxels, self._of_point = np.unique(pack(voxel_indices(points, voxel_size)), return_inverse=True)
        self._counts = np.zeros((len(self._voxels), labels), np.int64)

    def add(self, points: Float[np.ndarray, "voter 3"], labels: UInt8[np.ndarray, " voter"]) -> None:
        """Have each point vote for the voxel it lies in, if any of the first points does too; label 0 is no vote."""
        known = labels > 0
        keys = pack(voxel_indices(points[known], self.voxel_size))
        at = np.minimum(np.searchsorted(self._voxels, keys), len(self._voxels) - 1)
        met = self._voxels[at] == keys
        ballots = at[met] * self._counts.shape[1] + labels[known][met]
        self._counts += np.bincount(ballots, minlength=self._counts.size).reshape(self._counts.shape)

    def winners(self) -> UInt8[np.ndarray, " point"]:
        """Return the label of each given point: that of most votes in its voxel, the least of equals, 0 without a vote."""
        return self._counts.argmax(axis=1).astype(np.uint8)[self._of_point]
