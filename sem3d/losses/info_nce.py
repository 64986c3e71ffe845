"""PointInfoNCE: a feature should pick its own match among the other matches (Pri3D equation 1, PointContrast, PPKT).

Three forms that differ in the number they give:

============= ============ =========================================== ===============
form          features     directions                                  over the rows
============= ============ =========================================== ===============
``released``  unit length  anchor to positive and back, halved         mean
``one_sided`` unit length  anchor to positive                          mean
``paper``     as they are  anchor to positive                          sum
============= ============ =========================================== ===============

``released`` is Pri3D's code (``loss.py``), ``paper`` is Pri3D's equation 1 as printed, and ``one_sided`` is PPKT's loss.

Items of up to :data:`WHOLE` matches are compared all at once, each with a matrix of its own; of larger ones no such matrix is
held, only tiles of it (PointContrast's users met one of 32 GB). Both ways give the same number to rounding.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from sem3d.losses.tiled_log_sum_exp import tiled_log_sum_exp
from sem3d.losses.valid_rows import valid_rows

InfoNCEForm = Literal["released", "one_sided", "paper"]
WHOLE = 2048
"""Matches of an item up to which its similarities are held whole."""


def point_info_nce_of_items(
    anchor: Float[Tensor, "item match dim"],
    positive: Float[Tensor, "item match dim"],
    temperature: float = 0.4,
    form: InfoNCEForm = "released",
    valid: Bool[Tensor, "item match"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean over items of the loss of each item's matches.

    Row i of ``anchor`` belongs to row i of ``positive``, all other rows of the item are negatives. Rows that are not ``valid``
    are neither matches nor negatives; without any valid row the loss is a zero that keeps the graph. Computed in float32 at
    least, whatever autocast says.

    The divisor is the number of items, those without a valid match included (as released), so that equal shares of a
    batch on several workers average to the loss of the whole batch. Needs item * match^2 numbers of memory a few times up
    to :data:`WHOLE` matches, and item * match * dim above.
    """
    if form not in ("released", "one_sided", "paper"):
        raise ValueError(f"no form {form!r} of PointInfoNCE; there are released, one_sided, paper")
    valid = anchor.new_ones(anchor.shape[:2], dtype=torch.bool) if valid is None else valid
    anchor, positive = (usable_features(features, valid, form != "paper") for features in (anchor, positive))
    with torch.autocast(anchor.device.type, enabled=False):
        if anchor.shape[1] <= WHOLE:
            of_item = torch.where(valid, _surprise_of_all(anchor, positive, temperature, form, valid), 0).sum(1)
        else:
            of_item = torch.stack(
                [
                    _surprise_in_tiles(one[rows], other[rows], temperature, form).sum()
                    for one, other, rows in zip(anchor, positive, valid_rows(valid), strict=True)
                ]
            )
    if form != "paper":
        of_item = of_item / valid.sum(1).clamp(min=1)
    return of_item.sum() / max(len(of_item), 1)


def _surprise_of_all(
    anchor: Float[Tensor, "item match dim"],
    positive: Float[Tensor, "item match dim"],
    temperature: float,
    form: InfoNCEForm,
    valid: Bool[Tensor, "item match"],
) -> Float[Tensor, "item match"]:
    """Return ``-log`` of the softmax probability of each row's own match, from whole matrices."""
    logits = anchor @ positive.mT / temperature
    own = logits.diagonal(dim1=1, dim2=2)
    surprise = _log_sum_exp(logits, valid[:, None, :]) - own
    if form == "released":
        surprise = (surprise + _log_sum_exp(logits.mT, valid[:, None, :]) - own) / 2
    return surprise


def _surprise_in_tiles(
    anchor: Float[Tensor, "match dim"], positive: Float[Tensor, "match dim"], temperature: float, form: InfoNCEForm
) -> Float[Tensor, " match"]:
    """Return what :func:`_surprise_of_all` does for the valid rows of one item, without a matrix of all pairs."""
    own = (anchor * positive).sum(1) / temperature
    by_anchor, by_positive = tiled_log_sum_exp(anchor, positive, 1 / temperature, both=form == "released")
    return by_anchor - own if by_positive is None else (by_anchor + by_positive) / 2 - own


def usable_features(
    features: Float[Tensor, "item match dim"], valid: Bool[Tensor, "item match"], unit_length: bool = True
) -> Float[Tensor, "item match dim"]:
    """Return the values in float32 at least, of unit length if wanted, zero where not valid."""
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    features = torch.where(valid[..., None], features, 0)
    return F.normalize(features, dim=-1) if unit_length else features


def _log_sum_exp(
    logits: Float[Tensor, "item match match"], candidate: Bool[Tensor, "item 1 match"]
) -> Float[Tensor, "item match"]:
    """Return the log-sum-exp over the candidates of each row; finite even where a row has none."""
    return logits.masked_fill(~candidate, torch.finfo(logits.dtype).min).logsumexp(-1)
