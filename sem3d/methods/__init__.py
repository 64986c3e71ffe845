"""The register of methods: a name and where its class is, resolved on first use."""

from importlib import import_module

from sem3d.errors import UserError

METHODS = {
    "pri3d": "sem3d.methods.pri3d:Pri3D",
    "semantic_segmentation_2d": "sem3d.methods.tasks.semantic_segmentation_2d:SemanticSegmentation2D",
    "ssr": "sem3d.methods.ssr.method:SSR",
}


def method_class(name: str) -> type:
    """The class registered under ``name``; raises :class:`UserError` with the known names otherwise."""
    if name not in METHODS:
        raise UserError(f"unknown method '{name}': choose one of {', '.join(METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(import_module(module), attribute)


def class_path(method: type) -> str:
    """Where a method's class is, as the register and checkpoints write it."""
    return f"{method.__module__}:{method.__qualname__}"


def registered_name(path: str) -> str | None:
    """The name under which the class at ``path`` is registered, if it is."""
    return next((name for name, registered in METHODS.items() if registered == path), None)
