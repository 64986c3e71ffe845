"""Pictures of predictions, made small; as many as keep the page light."""

import base64
import io
from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.reporting.formatting import counted
from sem3d.reporting.page.content import Picture, SweepReview
from sem3d.reporting.page.markup import Markup, markup, tag, void

MOST_PICTURES = 30
MOST_BYTES = 5_000_000
WIDTH = 760
MOST_PIXELS = 40_000_000


def png_uri(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    """A picture as a data URI; for drawings."""
    buffer = io.BytesIO()
    Image.fromarray(picture).quantize(128, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return _uri(buffer.getvalue(), "png")


def gallery(review: SweepReview) -> Markup:
    """The last figures of one seed, by figure and budget, arms side by side; each opens to full width by a click."""
    kept, left_out = chosen(review.pictures, review.budgets.values)
    total, parts = 0, []
    for name in dict.fromkeys(picture.name for picture in kept):
        for budget in review.budgets.values:
            cards = []
            here = [item for item in kept if (item.name, item.budget) == (name, budget)]
            for picture in sorted(here, key=lambda item: review.arms.index(item.arm)):
                encoded = small(picture)
                if encoded is None or total + len(encoded[0]) > MOST_BYTES:
                    left_out += 1
                    continue
                total += len(encoded[0])
                cards.append(_card(picture, *encoded))
            if cards:
                title = f"{name} at {review.budgets.text(budget)}, seed {_seed(kept, name, budget)}"
                parts.append(markup(tag("h3", title), tag("div", *cards, class_="gallery")))
    if left_out:
        parts.append(
            tag(
                "p",
                f"{counted(left_out, 'more figure')} not shown here: see the MLflow runs of the trials.",
                class_="small",
            )
        )
    return markup(*parts)


def chosen(pictures: tuple[Picture, ...], budgets: tuple[float, ...]) -> tuple[list[Picture], int]:
    """At most ``MOST_PICTURES``, and how many are left out.

    Predictions come before other figures, and the smallest and the largest budget before those between.
    """
    outward = sorted(budgets, key=lambda budget: -abs(budgets.index(budget) - (len(budgets) - 1) / 2))

    def rank(picture: Picture) -> tuple[bool, str, int]:
        return ("prediction" not in picture.name, picture.name, outward.index(picture.budget))

    ordered = sorted(pictures, key=rank)
    return ordered[:MOST_PICTURES], len(ordered[MOST_PICTURES:])


def small(picture: Picture) -> tuple[str, int, int] | None:
    """Data URI, width and height of the picture at no more than ``WIDTH`` pixels; none if it cannot be read."""
    try:
        with Image.open(picture.path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return None
            image = opened.convert("RGB")
    except (OSError, Image.DecompressionBombError):
        return None
    if image.width > WIDTH:
        image = image.resize((WIDTH, max(1, round(image.height * WIDTH / image.width))), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=4)
    return _uri(buffer.getvalue(), "webp"), image.width, image.height


def _card(picture: Picture, uri: str, width: int, height: int) -> Markup:
    size = {"width": str(width), "height": str(height)}
    image = void("img", src=uri, alt=f"{picture.name} of {picture.arm}", **size)
    return tag("details", tag("summary", tag("span", picture.arm), image), class_="card")


def _seed(pictures: Iterable[Picture], name: str, budget: float) -> str:
    seeds = {picture.seed for picture in pictures if (picture.name, picture.budget) == (name, budget)}
    return " and ".join(str(seed) for seed in sorted(seeds))


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
