"""torch.compile of the parts of a method whose shapes do not change from batch to batch."""

from sem3d.config import Compiler
from sem3d.errors import UserError
from sem3d.methods.method import Method


def compile_parts(method: Method, compiler: Compiler) -> None:
    """Let ``compiler`` compute the method's :attr:`~sem3d.methods.method.Method.compiled` parts from their next call on.

    Names of parameters and what checkpoints hold stay. Raises :class:`UserError` where the method has no such part.
    """
    if compiler == "never":
        return
    if not method.compiled:
        raise UserError(f"run.compiler {compiler}: this method has no part that can be compiled; leave it out")
    for name in method.compiled:
        method.get_submodule(name).compile(backend=compiler)
