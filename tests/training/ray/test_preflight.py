import pytest

from sem3d.errors import UserError
from sem3d.training.ray.preflight import Resources, check_batches, check_cpus, use_gpu, worker_sizes
from tests.training.toy_method import toy_experiment


def test_workers_must_leave_a_cpu_for_reading_data(tmp_path):
    experiment = toy_experiment(tmp_path, run={"workers": 2})
    check_cpus(experiment, Resources(cpus=3.0, gpus=0.0))
    with pytest.raises(UserError, match=r"2 workers x 1 CPUs \+ 1 for reading data need 3 CPUs, the Ray cluster has 2"):
        check_cpus(experiment, Resources(cpus=2.0, gpus=0.0))


def test_auto_takes_gpus_only_where_every_worker_gets_one(tmp_path):
    experiment = toy_experiment(tmp_path, run={"workers": 2})
    assert use_gpu(experiment, Resources(cpus=3.0, gpus=2.0))
    assert not use_gpu(experiment, Resources(cpus=3.0, gpus=1.0))
    assert not use_gpu(toy_experiment(tmp_path, run={"device": "cpu"}), Resources(cpus=3.0, gpus=2.0))
    with pytest.raises(UserError, match="needs 1 GPUs for 1 workers, the Ray cluster has 0"):
        use_gpu(toy_experiment(tmp_path, run={"device": "gpu"}), Resources(cpus=3.0, gpus=0.0))


def test_workers_may_share_a_gpu(tmp_path):
    share = {"workers": 4, "gpus_per_worker": 0.25}
    shared = toy_experiment(tmp_path, run=share)
    assert use_gpu(shared, Resources(cpus=8.0, gpus=1.0))
    assert not use_gpu(shared, Resources(cpus=8.0, gpus=0.0))
    with pytest.raises(UserError, match="needs 1 GPUs for 4 workers, the Ray cluster has 0"):
        use_gpu(toy_experiment(tmp_path, run=share | {"device": "gpu"}), Resources(cpus=8.0, gpus=0.0))
    with pytest.raises(UserError, match="gpus_per_worker"):
        toy_experiment(tmp_path, run={"gpus_per_worker": 1.5})


def test_every_worker_gets_an_equal_share(tmp_path):
    check_batches(toy_experiment(tmp_path, run={"workers": 2}, optim={"accumulate": 2}))
    with pytest.raises(UserError, match="choose a multiple of 6"):
        check_batches(toy_experiment(tmp_path, run={"workers": 3}, optim={"accumulate": 2}))
    with pytest.raises(UserError, match="at least 1"):
        check_batches(toy_experiment(tmp_path, schedule={"steps": 0}))
    check_batches(toy_experiment(tmp_path, run={"workers": 0}))


def test_an_elastic_run_takes_the_sizes_that_share_a_micro_batch_equally(tmp_path):
    run = {"batch_size": 24, "workers": 6}
    assert worker_sizes(toy_experiment(tmp_path, run=run)) == (6,)
    assert worker_sizes(toy_experiment(tmp_path, run={**run, "min_workers": 1})) == (1, 2, 3, 4, 6)
    assert worker_sizes(toy_experiment(tmp_path, run={**run, "min_workers": 5})) == (6,)
    assert worker_sizes(toy_experiment(tmp_path, run={**run, "min_workers": 2}, optim={"accumulate": 2})) == (
        2,
        3,
        4,
        6,
    )


def test_an_elastic_run_starts_on_what_its_fewest_workers_need(tmp_path):
    experiment = toy_experiment(tmp_path, run={"workers": 4, "min_workers": 1})
    check_batches(experiment)
    check_cpus(experiment, Resources(cpus=2.0, gpus=0.0))
    assert use_gpu(experiment, Resources(cpus=2.0, gpus=1.0))
    with pytest.raises(UserError, match="1 workers x 1 CPUs"):
        check_cpus(experiment, Resources(cpus=1.0, gpus=0.0))
    with pytest.raises(UserError, match=r"run\.min_workers is 5"):
        check_batches(toy_experiment(tmp_path, run={"workers": 4, "min_workers": 5}))
