"""Pictures of predictions, made small; as many as keep the page light."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.datasets.pictures import read_user_picture
from sem3d.errors import BadSample
from sem3d.reporting.formatting import counted
from sem3d.reporting.page.confusions import occurring_classes
from sem3d.reporting.page.content import Picture, SweepReview

MOST_PICTURES = 30
MOST_BYTES = 5_000_000
WIDTH = 760
TALLEST = 16383
"""Pixels that WebP can be high."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A small picture of one arm, as a data URI."""

    arm: str
    name: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """One figure at one budget, arms side by side."""

    title: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """All pictures that are shown."""

    shelves: tuple[Shelf, ...]
    legend: tuple[tuple[str, str], ...]
    """Colour and name of each class that occurs, where pictures are painted by classes."""
    left_out: str
    """Number of those not shown; empty where all are."""


def png_uri(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    """Return a picture as a data URI; for drawings."""
    buffer = io.BytesIO()
    Image.fromarray(picture).quantize(128, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return _uri(buffer.getvalue(), "png")


def gallery(review: SweepReview) -> Gallery:
    """Return the last figures of one seed, by figure and budget."""
    kept, left_out = chosen(review.pictures, review.budgets.values)
    shelves = before_and_after(review)
    total = sum(len(card.uri) for shelf in shelves for card in shelf.cards)
    for name in dict.fromkeys(picture.name for picture in kept):
        for budget in review.budgets.values:
            cards = []
            here = [item for item in kept if (item.name, item.budget) == (name, budget)]
            for picture in sorted(here, key=lambda item: review.arms.index(item.arm)):
                card = small(picture)
                if card is None or total + len(card.uri) > MOST_BYTES:
                    left_out += 1
                    continue
                total += len(card.uri)
                cards.append(card)
            if cards:
                title = f"{name} at {review.budgets.text(budget)}, seed {_seed(kept, name, budget)}"
                shelves.append(Shelf(title=title, cards=tuple(cards)))
    legend = legend_of(review) if shelves else ()
    return Gallery(shelves=tuple(shelves), legend=legend, left_out=counted(left_out, "more figure") if left_out else "")


def legend_of(review: SweepReview) -> tuple[tuple[str, str], ...]:
    """Return colour and name of each class that occurs in a confusion matrix whose classes have colours."""
    painted = [item for item in review.confusions if len(item.colors) == len(item.classes)]
    occurring = set(occurring_classes(painted))
    named = {name: color for item in painted for name, color in zip(item.classes, item.colors, strict=True)}
    return tuple((color, name) for name, color in named.items() if name in occurring)


def before_and_after(review: SweepReview) -> list[Shelf]:
    """Return the picture of one pretraining of each arm, of the networks before and after."""
    first = {effect.arms: effect for effect in sorted(review.effects, key=lambda item: -item.seed) if effect.picture}
    shelves = []
    for arms, effect in first.items():
        name = f"before and after pretraining, seed {effect.seed}"
        assert effect.picture
        card = small(Picture(", ".join(arms), review.budgets.values[0], effect.seed, name, effect.picture))
        shelves += [Shelf(title=name, cards=(card,))] if card else []
    return shelves


def chosen(pictures: tuple[Picture, ...], budgets: tuple[float, ...]) -> tuple[list[Picture], int]:
    """Return at most ``MOST_PICTURES``, and how many are left out.

    Predictions come before other figures, and the smallest and the largest budget before those between.
    """
    outward = sorted(budgets, key=lambda budget: -abs(budgets.index(budget) - (len(budgets) - 1) / 2))

    def rank(picture: Picture) -> tuple[bool, str, int]:
        return ("prediction" not in picture.name, picture.name, outward.index(picture.budget))

    ordered = sorted(pictures, key=rank)
    return ordered[:MOST_PICTURES], len(ordered[MOST_PICTURES:])


def small(picture: Picture) -> Card | None:
    """Return the picture at no more than ``WIDTH`` pixels; None if it cannot be read."""
    try:
        image = read_user_picture(picture.path, picture.name).convert("RGB")
    except BadSample:
        return None
    if image.width > WIDTH:
        image = image.resize((WIDTH, max(1, round(image.height * WIDTH / image.width))), Image.Resampling.LANCZOS)
    if image.height > TALLEST:
        return None
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=4)
    uri = _uri(buffer.getvalue(), "webp")
    return Card(arm=picture.arm, name=picture.name, uri=uri, width=image.width, height=image.height)


def _seed(pictures: Iterable[Picture], name: str, budget: float) -> str:
    seeds = {picture.seed for picture in pictures if (picture.name, picture.budget) == (name, budget)}
    return " and ".join(str(seed) for seed in sorted(seeds))


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
