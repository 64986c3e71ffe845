"""The page's templates, style and script, which lie as files in the folder ``templates``."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from sem3d.reporting.formatting import MISSING

PACKAGE, FOLDER = "sem3d.reporting.page", "templates"


@cache
def environment() -> Environment:
    """Return the environment of the templates; every value is escaped, and a name that is not given raises."""
    made = Environment(
        loader=PackageLoader(PACKAGE, FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["missing"] = MISSING
    return made


def file_text(name: str) -> str:
    """Return a file of the folder as it is."""
    return (files(PACKAGE) / FOLDER / name).read_text(encoding="utf-8")


def content_policy(style: str, script: str) -> str:
    """Return the content security policy: nothing but this style, this script and pictures inside the page."""
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    rules = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'"
    return f"{rules}; base-uri 'none'; form-action 'none'"
