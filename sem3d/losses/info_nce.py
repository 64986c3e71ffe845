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
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

InfoNCEForm = Literal["released", "one_sided", "paper"]


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
    batch on several workers average to the loss of the whole batch. Needs item * match^2 numbers of memory a few times.
    """
    if form not in ("released", "one_sided", "paper"):
        raise ValueError(f"no form {form!r} of PointInfoNCE; there are released, one_sided, paper")
    valid = anchor.new_ones(anchor.shape[:2], dtype=torch.bool) if valid is None else valid
    anchor, positive = (_usable(features, valid, unit_length=form != "paper") for features in (anchor, positive))
    with torch.autocast(anchor.device.type, enabled=False):
        logits = anchor @ positive.mT / temperature
    own = logits.diagonal(dim1=1, dim2=2)
    surprise = _log_sum_exp(logits, valid[:, None, :]) - own
    if form == "released":
        surprise = (surprise + _log_sum_exp(logits.mT, valid[:, None, :]) - own) / 2
    of_item = torch.where(valid, surprise, 0).sum(1)
    if form != "paper":
        of_item = of_item / valid.sum(1).clamp(min=1)
    return of_item.sum() / max(len(of_item), 1)


def _usable(
    features: Float[Tensor, "item match dim"], valid: Bool[Tensor, "item match"], unit_length: bool
) -> Float[Tensor, "item match dim"]:
    """Return the values in float32 at least, zero where not valid."""
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    features = torch.where(valid[..., None], features, 0)
    return F.normalize(features, dim=-1) if unit_length else features


def _log_sum_exp(
    logits: Float[Tensor, "item match match"], candidate: Bool[Tensor, "item 1 match"]
) -> Float[Tensor, "item match"]:
    """Return the log-sum-exp over the candidates of each row; finite even where a row has none."""
    return logits.masked_fill(~candidate, torch.finfo(logits.dtype).min).logsumexp(-1)
