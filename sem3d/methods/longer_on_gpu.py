"""The step from a preset ``laptop`` to a preset ``gpu``: the same networks, for longer."""

from sem3d.config import Experiment, flatten, override


def longer_on_gpu(laptop: Experiment, *, steps: int, batch_size: int, checkpoint_every: int) -> Experiment:
    """Return an experiment for minutes on one GPU: more steps of more samples than ``laptop``, evaluated at its checkpoints where
    that is evaluated at all, and sparse convolution by the quickest backend.
    """
    leaves = flatten(laptop)
    changes = {"schedule.steps": steps, "run.batch_size": batch_size, "run.checkpoint_every": checkpoint_every}
    if leaves["run.evaluate_every"]:
        changes["run.evaluate_every"] = checkpoint_every
    backend = {"method.sparse_unet.backend": "auto"}
    return override(laptop, changes | {leaf: value for leaf, value in backend.items() if leaf in leaves})
