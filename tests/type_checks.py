"""Checks of types at each call, as quick as they can be.

The import hook of jaxtyping wraps every function of sem3d so that each call binds its arguments, opens a scope of axis names and
has beartype check the arguments, and once more with what came back. Most functions name no array, and need no scope; others need
one, but their arguments only where axes are computed from them. These are handed to beartype, once, which raises the same error.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ForwardRef, Literal, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping._storage import pop_shape_memo, push_shape_memo

MARK = "checked_once_a_call"
by_jaxtyping = jaxtyping.jaxtyped
by_beartype: Callable[[Any], Any] = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))


def patch_import_hook() -> None:
    """Have modules that the hook loads from now on ask here for the decorator."""
    jaxtyping.jaxtyped = partial(partial, checked)


def checked(item: Any, typechecker: Any) -> Any:
    """A function or class with its types checked at each call."""
    if not inspect.isclass(item):
        return checked_function(item) or by_jaxtyping(item, typechecker=typechecker)
    if not dataclasses.is_dataclass(item) or hasattr(item.__init__, MARK):
        return item
    if getattr(item, "__no_type_check__", False) or not (initial := checked_function(item.__init__)):
        return by_jaxtyping(item, typechecker=typechecker)
    item.__init__ = initial
    return item


def checked_function(function: Any) -> Any:
    """A plain function with its types checked; None where it needs what jaxtyping makes of it."""
    lazy = inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function)
    if not inspect.isfunction(function) or lazy or hasattr(function, "__wrapped__"):
        return None
    annotations = function.__annotations__.values()
    if any(any(map(needs_arguments, parts(annotation))) for annotation in annotations):
        return None
    found = by_beartype(function)
    if any(any(map(is_array, parts(annotation))) for annotation in annotations):
        found = in_a_scope(found)
    setattr(found, MARK, True)
    return found


def in_a_scope(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with names of axes of its own in each call."""

    @wraps(function)
    def scoped(*arguments: Any, **options: Any) -> Any:
        push_shape_memo({})
        try:
            return function(*arguments, **options)
        finally:
            pop_shape_memo()

    return scoped


def parts(annotation: Any) -> list[Any]:
    """An annotation and all types that it is made of, which the values of a literal are not."""
    literal = get_origin(annotation) is Literal
    inner = annotation if isinstance(annotation, list) else () if literal else get_args(annotation)
    return [annotation, *(part for one in inner for part in parts(one))]


def is_array(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray)


def needs_arguments(annotation: Any) -> bool:
    """Whether a type is yet to be found by its name, or has axes that are computed from arguments."""
    if isinstance(annotation, str | ForwardRef):
        return True
    return is_array(annotation) and "{" in annotation.dim_str
