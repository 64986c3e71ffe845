import math
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from sem3d.training import distributed
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from tests.pair import Pair
from tests.training.toy_method import ToyMethod, stream_in_process, stream_once_in_process, toy_experiment


class NonfiniteOnOne(ToyMethod):
    def forward(self, batch, step):
        losses = super().forward(batch, step)
        return {**losses, "fit": losses["fit"] * (math.inf if step == 1 and dist.get_rank() == 1 else 1.0)}


def check_everything(rank: int, folder: Path) -> None:
    assert distributed.all_sum(torch.tensor([1, rank])).tolist() == [2.0, 1.0]
    assert distributed.broadcast_json({"rank": rank}, source=1) == {"rank": 1}
    assert distributed.gather_json("é" * rank) == ["", "é"]
    mine = {"sum": torch.ones(2, 3)} if rank == 1 else {}
    assert distributed.all_sum_by_name(mine)["sum"].tolist() == [[1.0] * 3] * 2
    here = TrainingContext(run_folder=folder, stream_batches=stream_in_process, stream_once=stream_once_in_process)
    alternating = {"alternate": True, "batch_norm": True}
    experiment = toy_experiment(folder, method=alternating, run={"batch_size": 16, "workers": 2})
    result = fit(NonfiniteOnOne, experiment, here)
    assert result["metrics"]["skipped_steps"] == 1
    assert result["metrics"]["evaluated"] == 10


@pytest.mark.slow
def test_two_processes_sum_and_skip_together(pair: Pair, tmp_path: Path):
    pair(check_everything, tmp_path)


def test_one_process_needs_no_group():
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert distributed.broadcast_json([1]) == [1]
    assert distributed.all_sum_by_name({"a": torch.ones(2)})["a"].tolist() == [1.0, 1.0]
    with pytest.raises(TypeError):
        distributed.gather_json(object())
