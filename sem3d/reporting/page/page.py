"""The page itself: its parts in the order in which a reviewer asks for them."""

import base64
import hashlib

from sem3d.reporting.budget_curve import draw_budget_curve
from sem3d.reporting.formatting import counted
from sem3d.reporting.page.comparison import class_tables, comparison_table
from sem3d.reporting.page.confusions import confusion_figures
from sem3d.reporting.page.content import SweepReview
from sem3d.reporting.page.gallery import gallery, png_uri
from sem3d.reporting.page.headline import cautions, headline
from sem3d.reporting.page.markup import Markup, markup, row, section, table, tag, void
from sem3d.reporting.page.script import SCRIPT
from sem3d.reporting.page.style import STYLE
from sem3d.reporting.page.trials import cost_table, failed_trials, shared_settings, summary_line, trial_table


def render_page(review: SweepReview) -> str:
    """The whole page as HTML text; the same review always gives the same text."""
    body = tag("body", tag("main", _opening(review), *_sections(review)), Markup(f"<script>{SCRIPT}</script>"))
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=_policy()),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        tag("title", f"{review.name}: sweep of {review.space}"),
        Markup(f"<style>{STYLE}</style>"),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _policy() -> str:
    """Content security policy: nothing but this style, this script and pictures inside the page."""
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (STYLE, SCRIPT))
    rules = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'"
    return f"{rules}; base-uri 'none'; form-action 'none'"


def _opening(review: SweepReview) -> Markup:
    sizes = {"arm": review.arms, "budget": review.budgets.values, "seed": review.seeds}
    scope = ", ".join(counted(len(values), word) for word, values in sizes.items())
    return tag(
        "header",
        tag("p", f"label-budget sweep of {review.space}", class_="kicker"),
        tag("h1", review.name),
        tag("p", headline(review).replace(" %", "\u00a0%"), class_="headline"),
        tag("p", scope, " · ", summary_line(review), class_="small"),
    )


def _sections(review: SweepReview) -> list[Markup]:
    read = tag("ul", *(tag("li", sentence) for sentence in cautions(review)), class_="cautions")
    compared = f" Below it, the difference to {review.arms[0]}." if len(review.arms) > 1 else ""
    shown = "mean and half of the 95 % interval" if _repeated(review) else "one seed"
    explained = f"{review.metric.axis}: {shown}.{compared}"
    failed = failed_trials(review)
    return [
        section(f"{review.metric.title} by label budget", _curve(review), anchor="curve"),
        section("Arms and budgets", tag("p", explained), comparison_table(review), read, anchor="table"),
        section("Classes", class_tables(review), anchor="classes"),
        section("Confusion", _confusion(review), anchor="confusion"),
        section("Predictions", gallery(review), anchor="predictions"),
        section("Champion", _champion(review), anchor="champion"),
        section("Failed trials", failed, anchor="failed"),
        section("All trials", trial_table(review), shared_settings(review), anchor="trials"),
        section("What it took", cost_table(review), anchor="cost"),
    ]


def _curve(review: SweepReview) -> Markup:
    if not any(by_seed for by_budget in review.scores.values() for by_seed in by_budget.values()):
        return Markup("")

    def drawn(dark: bool, size: str) -> str:
        return png_uri(
            draw_budget_curve(review.scores, review.arms, review.metric, review.budgets, dark=dark, size=size)
        )

    choices = [
        void("source", media="(max-width: 600px) and (prefers-color-scheme: dark)", srcset=drawn(True, "narrow")),
        void("source", media="(max-width: 600px)", srcset=drawn(False, "narrow")),
        void("source", media="(prefers-color-scheme: dark)", srcset=drawn(True, "wide")),
        void(
            "img",
            src=drawn(False, "wide"),
            alt="Score by label budget, one line an arm; the numbers are in the next table.",
        ),
    ]
    legend = "Bars: 95 % interval over seeds; one that leaves the picture is wider still. Faint points: single seeds."
    caption = tag("figcaption", legend if _repeated(review) else "One seed: no intervals.")
    return tag("figure", tag("picture", *choices), caption, class_="curve")


def _repeated(review: SweepReview) -> bool:
    """Whether any arm and budget has more than one seed."""
    return any(len(by_seed) > 1 for by_budget in review.scores.values() for by_seed in by_budget.values())


def _confusion(review: SweepReview) -> Markup:
    drawn = confusion_figures(review)
    if not drawn:
        return drawn
    return markup(
        tag(
            "p",
            "Rows are truth, columns predictions, added over seeds; the stronger the colour, the larger the share of the row. "
            "Point at a cell for its number.",
        ),
        drawn,
    )


def _champion(review: SweepReview) -> Markup:
    if not review.champion:
        return Markup("")
    rows = [row(label, tag("code", text) if label == "load" else text) for label, text in review.champion.items()]
    return table(["", ""], rows, class_="champion")
