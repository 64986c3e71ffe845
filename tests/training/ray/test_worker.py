"""Which device a worker trains on."""

import pytest
import torch

from sem3d.errors import UserError
from sem3d.training.ray import worker


@pytest.mark.parametrize("workers", [0, 2])
def test_without_gpus_training_is_on_the_cpu(workers):
    assert worker._device(False, workers) == torch.device("cpu")


def test_the_own_process_takes_its_cuda_device_and_is_refused_where_it_sees_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert worker._device(True, 0) == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"sees no CUDA device.*choose run.workers 1 or run.device cpu"):
        worker._device(True, 0)
