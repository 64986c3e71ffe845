"""A program that has no PyTorch3D and no MinkowskiEngine: it explains all methods, then trains some for a step each."""

import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

HIDDEN = ("pytorch3d", "MinkowskiEngine", "MinkowskiEngineBackend")


class Hidden(MetaPathFinder):
    """A finder that says of hidden packages what Python says of those that are not installed."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named '{fullname}'", name=fullname)


def train_a_step(name: str, data: Path, folder: Path) -> int:
    """Trains a tiny ``name`` and evaluates it; returns its steps."""
    from sem3d.methods import method_class
    from sem3d.training.context import TrainingContext
    from sem3d.training.loop import fit
    from tests.methods.tiny import tiny_experiment
    from tests.training.toy_method import stream_in_process, stream_once_in_process

    experiment = tiny_experiment(name, data, folder, schedule__steps=1, run__workers=0)
    streams = {"stream_batches": stream_in_process, "stream_once": stream_once_in_process}
    run = folder / name
    run.mkdir()
    outcome = fit(method_class(name), experiment, TrainingContext(run_folder=run, report=lambda _: None, **streams))
    return outcome["steps"]


def main() -> None:
    """Explains, trains what is asked for and prints the steps of each; anything that needs a hidden package ends it."""
    sys.meta_path.insert(0, Hidden())
    data = json.loads(sys.argv[1])
    storage = Path(sys.argv[2])

    from jobs import train

    sys.argv = ["train", "--help"]
    train.main()
    steps = {name: train_a_step(name, Path(place), storage) for name, place in data.items()}
    print(json.dumps({"steps": steps, "imported": sorted(set(HIDDEN) & set(sys.modules))}))


if __name__ == "__main__":
    main()
