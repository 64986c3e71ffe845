"""HTML from nested calls; every string that is not markup already is escaped."""

from html import escape


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()


def markup(*parts: str) -> Markup:
    """Parts after one another; plain strings are text."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """An element; ``class_`` is the attribute class, ``data_value`` is data-value."""
    listed = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{listed}>{markup(*children)}</{name}>")


def void(name: str, /, **attributes: str) -> Markup:
    """An element without an end, such as ``img``."""
    return Markup(tag(name, **attributes).removesuffix(f"</{name}>"))


def section(title: str, *children: str, anchor: str) -> Markup:
    """A part of the page with its heading; nothing where it would be empty."""
    content = markup(*children)
    return tag("section", tag("h2", title), content, id=anchor) if content else Markup("")


def table(head: list[str], rows: list[Markup], *, class_: str = "") -> Markup:
    """A table in a box that scrolls sideways on narrow screens; the first column names the rows."""
    cells = [tag("th", cell, scope="col") for cell in head]
    body = tag("table", tag("thead", tag("tr", *cells)), tag("tbody", *rows), class_=class_)
    return tag("div", body, class_="scroll", tabindex="0")


def row(name: str, *cells: str) -> Markup:
    """A row with its name; a cell that is no ``td`` yet becomes one."""
    filled = [cell if isinstance(cell, Markup) and cell.startswith("<td") else tag("td", cell) for cell in cells]
    return tag("tr", tag("th", name, scope="row"), *filled)
