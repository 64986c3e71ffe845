"""The page itself: the content of a review, put into the templates."""

from sem3d.reporting.formatting import counted
from sem3d.reporting.page.classes import class_parts
from sem3d.reporting.page.comparison import comparison_table
from sem3d.reporting.page.confusions import confusion_pairs
from sem3d.reporting.page.content import SweepReview
from sem3d.reporting.page.curve import curve
from sem3d.reporting.page.environment import content_policy, environment, file_text
from sem3d.reporting.page.gallery import gallery
from sem3d.reporting.page.headline import cautions, headline
from sem3d.reporting.page.marks import mark_tables
from sem3d.reporting.page.training import training_curves
from sem3d.reporting.page.trials import costs, ends, failures, shared_settings, trial_rows


def render_page(review: SweepReview) -> str:
    """Return the whole page as HTML text; the same review always gives the same text."""
    style, script = file_text("style.css"), file_text("script.js")
    shared = shared_settings(review)
    sizes = {"arm": review.arms, "budget": review.budgets.values, "seed": review.seeds}
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            review=review,
            style=style,
            script=script,
            policy=content_policy(style, script),
            headline=headline(review).replace(" %", "\u00a0%"),
            scope=", ".join(counted(len(values), word) for word, values in sizes.items()),
            ends=ends(review),
            curve=curve(review),
            comparison=comparison_table(review),
            cautions=cautions(review),
            marks=mark_tables(review),
            classes=class_parts(review),
            confusions=confusion_pairs(review),
            training=training_curves(review),
            gallery=gallery(review),
            failures=failures(review),
            trials=trial_rows(review),
            settings=shared,
            settings_title=f"{counted(len(shared), 'setting')} that all trials share",
            costs=costs(review),
        )
    )
