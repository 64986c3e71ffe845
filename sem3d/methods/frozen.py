"""Parts of a method that are used and not trained, such as the teacher of a distillation."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from sem3d.errors import UserError


class FrozenPart(nn.Module):
    """A network that stays as it was loaded: always in eval, without gradients, and not in checkpoints.

    A checkpoint holds its source and digest (``state.json``), and a run resumes only with the same weights. The network is
    hidden from ``parameters()``, ``modules()`` and ``state_dict()`` of the method, so that no optimiser, no data parallelism and
    no schedule can meet it; device and dtype follow the method's.
    """

    network: nn.Module

    def __init__(self, network: nn.Module, source: str, load: Callable[[nn.Module, str], str]):
        """Take ``network`` with its first weights; ``load(network, source)`` loads those of ``source`` and says so in a line."""
        super().__init__()
        object.__setattr__(self, "network", network.eval().requires_grad_(False))
        self.source = source
        self.load_weights = load
        self.digest = ""

    def load(self, source: str) -> str:
        """Load the weights of ``source``, which is :attr:`source` with its place resolved; return a line on what they are."""
        line = self.load_weights(self.network, source)
        self.network.eval().requires_grad_(False)
        self.digest = weights_digest(self.network)
        return line

    def forward(self, *inputs: Any) -> Any:
        """Return the network's answer, without a graph. Raises RuntimeError before the weights are loaded."""
        if not self.digest:
            raise RuntimeError("a frozen part is used before its weights are loaded")
        with torch.no_grad():
            return self.network(*inputs)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "FrozenPart":
        self.network._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def get_extra_state(self) -> dict[str, str]:
        """Return source and digest, for the checkpoint."""
        return {"source": self.source, "digest": self.digest}

    def set_extra_state(self, state: dict[str, str]) -> None:
        """Check that the weights are those of the checkpoint. Raises :class:`UserError` where they are not."""
        if state["digest"] != self.digest:
            raise UserError(
                f"the frozen weights of {self.source} are not those that the checkpoint was made with ({state['source']}): "
                "put those back, or start another run"
            )


def frozen_parts(method: nn.Module) -> Iterator[tuple[str, FrozenPart]]:
    """Yield the frozen parts of a method by name."""
    return ((name, part) for name, part in method.named_modules() if isinstance(part, FrozenPart))


def weights_digest(network: nn.Module) -> str:
    """Return 24 hexadecimal digits that identify names, shapes and values of all tensors, in float64."""
    content = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        content.update(f"{name} {tuple(value.shape)}".encode())
        content.update(value.detach().cpu().double().numpy().tobytes())
    return content.hexdigest()[:24]
