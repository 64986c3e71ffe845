"""Contrastive loss of keypoints that mean the same on all models (2D-3D-2D, Eq. 5 and 6): alike lie close, others lie far.

As the authors' code has it, where the printed equations have slips: the squared distance of every pair of one meaning, and the
squared lack of distance, up to a margin, of as many pairs of different meanings, the nearest ones; the mean over both lists.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sem3d.losses.global_rows import global_rows

NegativePairs = Literal["model", "batch"]
LEAST_SQUARE = 1e-12
"""Added to a squared distance below its root, whose gradient is infinite at 0."""


def keypoint_contrastive(
    embedding: Float[Tensor, "item keypoint dim"],
    meaning: Int[Tensor, "item keypoint"],
    margin: float = 1.0,
    negatives: NegativePairs = "batch",
) -> Float[Tensor, ""]:
    """Return the loss of the keypoints of the global batch; -1 means that there is no keypoint.

    ``negatives``: pairs of different meanings within a ``model`` (paper), or in the whole ``batch`` (released). Without two
    keypoints of one meaning a zero that keeps the graph.
    """
    # 1. all keypoints of all workers (row dim), with their meaning and model; rows that are none stay, so that sizes agree
    rows, means = global_rows(embedding.flatten(0, 1)), global_rows(meaning.flatten())
    owner = torch.arange(len(means), device=means.device) // max(1, meaning.shape[1])
    rows = torch.where((means >= 0)[:, None], rows, 0 * rows)
    # 2. pairs of rows, each once
    valid = means >= 0
    pair = (valid[:, None] & valid).triu(1)
    alike = pair & (means[:, None] == means)
    other = pair & ~alike & ((owner[:, None] == owner) if negatives == "model" else pair)
    positives = alike.nonzero()
    hardest = _hardest(rows, other, len(positives))
    # 3. the mean over both lists
    near = _squares(rows, positives)
    lack = torch.relu(margin - (_squares(rows, hardest) + LEAST_SQUARE).sqrt()).square()
    return (near.sum() + lack.sum()) / max(1, len(near) + len(lack)) + 0 * rows.sum()


def _squares(rows: Float[Tensor, "row dim"], pairs: Int[Tensor, "pair 2"]) -> Float[Tensor, " pair"]:
    """Return squared distances of pairs of rows."""
    return (rows[pairs[:, 0]] - rows[pairs[:, 1]]).square().sum(1)


@torch.no_grad()
def _hardest(rows: Float[Tensor, "row dim"], pair: Bool[Tensor, "row row"], count: int) -> Int[Tensor, "pair 2"]:
    """Return the ``count`` pairs of least distance among those allowed, fewer where there are fewer."""
    allowed = pair.nonzero()
    nearest = _squares(rows, allowed).argsort(stable=True)[:count]
    return allowed[nearest]
