"""A labelling pass on rendered boxes: whom images are compared with, what the gate sees, and the images of a step."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.config import override
from sem3d.datasets.object_views import with_pseudo_labels
from sem3d.errors import UserError
from sem3d.losses.global_rows import evenly
from sem3d.losses.viewpoint_pairs import balanced_accuracy, viewpoint_pair_counts
from sem3d.methods.ssr import labelling_pass
from sem3d.methods.ssr.method import SSR, SSRBatch
from sem3d.methods.ssr.viewpoint_labels import LABEL_RULES, pick_labels
from sem3d.runs.device import tensors
from tests.methods.tiny import tiny_experiment
from tests.training.toy_method import stream_once_in_process


class Here:
    """Passes of one process, without Ray; the last images of a source can be made unreadable."""

    def __init__(self, at_once: int = 50, unreadable: int = 0):
        self.at_once, self.unreadable = at_once, unreadable

    def batches(self, samples):
        count = samples.table.num_rows - self.unreadable
        for streamed in stream_once_in_process(samples, batch_size=self.at_once, rank=0, world_size=1):
            columns = tensors(streamed.columns, torch.device("cpu"))
            columns["usable"] = columns["usable"] * (columns["number"] < count)
            yield columns

    def total(self, values):
        return values.double()

    def tell(self, line, metrics, tables):
        raise AssertionError(line)


@pytest.fixture
def built(renders, tmp_path):
    """Build SSR on boxes, three of them labelled, in float64 and with settings; a head that tells pairs apart."""

    def build(**changes):
        settings = {"data__labelled": 3, "run__precision": "float64", **changes}
        experiment = tiny_experiment("ssr", renders, tmp_path, **settings)
        torch.manual_seed(0)
        method = SSR(experiment).double().eval()
        torch.nn.init.normal_(method.viewpoints.head.weight, -1.0)
        return method, SSR.sources(experiment)

    return build


def all_images(method, samples):
    (columns,) = Here(samples.table.num_rows).batches(samples)
    return method.as_input(columns["image"][:, 0]), columns["viewpoint"][:, 0], columns["object"]


def labelled_by(method, sources, logits_of, rule):
    """Labels where ``logits_of(plain and turned features of images, those of references)`` has a column a viewpoint."""
    network = method.viewpoints
    images, _, _ = all_images(method, sources["unlabelled"])
    with torch.no_grad():
        scores = torch.sigmoid(logits_of(network(images)))
    return pick_labels(scores, None, torch.arange(24), rule)


@pytest.mark.parametrize("references", ["object_per_image", "all_objects"])
def test_images_are_compared_with_the_objects_that_the_setting_names(built, references):
    method, sources = built(method__references=references, method__rule="released")
    network, rule = method.viewpoints, LABEL_RULES["released"]
    known, viewpoints, objects = all_images(method, sources["references"])
    numbers = objects.unique()
    with torch.no_grad():
        features = network(known)
        order = [viewpoints[objects == number].argsort() for number in numbers]
        each = [features[objects == number][places] for number, places in zip(numbers, order, strict=True)]
        torch.manual_seed(5)
        found = method.label(sources, Here())
    torch.manual_seed(5)
    drawn = torch.randint(3, (sources["unlabelled"].table.num_rows,))

    def logits(images):
        compared = torch.stack([network.similarity(images, other) for other in each])
        return compared.mean(0) if references == "all_objects" else compared[drawn, torch.arange(len(images))]

    expected = labelled_by(method, sources, logits, rule)
    assert torch.equal(found.viewpoint, expected.viewpoint)
    assert torch.equal(found.accepted, expected.accepted)
    assert_close(found.confidence, expected.confidence)
    assert set(drawn.tolist()) == {0, 1, 2}


def test_references_by_rule_are_one_object_for_all_images(built):
    method, sources = built(method__references="by_rule", method__rule="released")
    known, viewpoints, objects = all_images(method, sources["references"])
    first = objects == objects.min()
    with torch.no_grad():
        features = method.viewpoints(known[first])[viewpoints[first].argsort()]
        found = method.label(sources, Here())
    expected = labelled_by(
        method, sources, lambda images: method.viewpoints.similarity(images, features), LABEL_RULES["released"]
    )
    assert_close(found.confidence, expected.confidence)
    assert torch.equal(found.viewpoint, expected.viewpoint)


@pytest.mark.parametrize("labels_from", ["siamese", "classifier"])
def test_the_gate_sees_all_labelled_images(built, labels_from, monkeypatch):
    monkeypatch.setattr(labelling_pass, "ROWS_AT_ONCE", 7)
    method, sources = built(method__labels_from=labels_from, method__gate_on="labelled")
    images, viewpoints, objects = all_images(method, sources["references"])
    assert len(images) == 3 * 24
    with torch.no_grad():
        features = method.viewpoints(images)
        if labels_from == "siamese":
            logits = method.viewpoints.similarity(features, features)
            threshold = logits.flatten().median()
            method.viewpoints.head.bias -= threshold
            expected = balanced_accuracy(viewpoint_pair_counts(logits - threshold, viewpoints, objects))
        else:
            expected = float((method.viewpoints.logits(features).argmax(1) == viewpoints).double().mean())
        assert method.accuracy_now(sources, Here()) == pytest.approx(expected)
    assert 0 < expected < 1


def test_a_gate_without_a_pair_to_tell_is_shut(built):
    method, sources = built(data__labelled=1, method__gate_on="labelled")
    with torch.no_grad():
        assert method.accuracy_now(sources, Here()) == 0


def test_labelled_images_that_cannot_be_read_are_no_references(built):
    method, sources = built(method__references="all_objects", method__rule="rotation_consistent")
    with torch.no_grad():
        seen = labelling_pass.see_labelled(
            method.viewpoints, sources["references"], method.as_input, Here(unreadable=30), degrees=45
        )
        found = method.label(sources, Here(unreadable=30))
    assert len(seen.features) == len(seen.turned) == 3 * 24 - 30
    assert set(seen.objects.tolist()) == set(sources["references"].table["object"].to_pylist()[:42])
    assert int((found.confidence == 0).sum()) == 30  # of the unlabelled


# The images of a step.


def batch_of(samples, rows):
    loaded = [samples.load(row, np.random.default_rng(number)) for number, row in enumerate(rows)]
    return SSRBatch(**{name: torch.tensor(column) for name, column in samples.collate(loaded).items()})


def told(method, batch):
    return method.images_to_tell(method.as_input(batch.image), batch)


@pytest.mark.parametrize("wanted", [3, 4, 6, 8])
def test_the_network_that_labels_has_a_batch_of_its_own_also_after_the_first_pass(built, wanted):
    method, sources = built(method__viewpoint_batch=wanted)
    images = sources["unlabelled"].table.num_rows
    joined = with_pseudo_labels(
        sources["train"], sources["unlabelled"], np.zeros(images, np.int64), np.ones(images, bool)
    )
    known = set(sources["references"].table["object"].to_pylist())
    for samples in (sources["train"], joined):
        order = samples.order(0)
        rows = [samples.table.slice(order.at(place)[1], 1).to_pylist()[0] for place in range(4)]
        found = told(method, batch_of(samples, rows))
        assert len(found.images) == len(found.viewpoints) == wanted
        assert set(found.objects.tolist()) <= known
    pictures, viewpoints, objects = all_images(method, sources["references"])
    for image, viewpoint, number in zip(found.images, found.viewpoints, found.objects, strict=True):
        (place,) = ((viewpoints == viewpoint) & (objects == number)).nonzero()[:, 0].tolist()
        assert torch.equal(image, pictures[place])


def test_a_pair_is_the_same_whatever_is_drawn_beside_it(built):
    (_, plain), (_, beside) = built(method__viewpoint_batch=0), built(method__viewpoint_batch=6)
    rows = plain["train"].table.to_pylist()
    ours, theirs = batch_of(plain["train"], rows), batch_of(beside["train"], rows)
    assert ours.beside_image is None
    assert torch.equal(ours.image, theirs.image)
    assert torch.equal(ours.viewpoint, theirs.viewpoint)


def test_nothing_is_drawn_where_nobody_labels(renders, tmp_path):
    experiment = tiny_experiment("ssr", renders, tmp_path, method__labels_from="none")
    assert SSR.sources(experiment)["train"].load.beside == 0


def test_a_row_that_cannot_be_used_brings_no_labelled_image(built):
    method, sources = built(method__viewpoint_batch=8)
    samples = sources["train"]
    loaded = [samples.load(row, np.random.default_rng(0)) for row in samples.table.slice(0, 3).to_pylist()]
    columns = samples.collate([loaded[0], None, *loaded[1:]])
    found = told(method, SSRBatch(**{name: torch.tensor(column) for name, column in columns.items()}))
    assert len(found.images) == 6
    assert found.labelled.tolist() == [0, 1, 4, 5, 6, 7]


def test_shares_are_even_over_any_number_of_rows():
    for kept, of in ((32, 64), (64, 64), (3, 4), (0, 4), (6, 8)):
        whole = evenly(kept, of, 2 * of)
        assert int(whole.sum()) == 2 * kept
        assert int(whole[:of].sum()) == kept
    assert evenly(1, 2, 6).tolist() == [False, True] * 3


def test_a_batch_that_micro_batches_cannot_share_is_refused(renders, tmp_path):
    experiment = tiny_experiment("ssr", renders, tmp_path, optim__accumulate=4)
    with pytest.raises(UserError, match=r"method\.viewpoint_batch 6 cannot be shared by 4 micro-batches"):
        SSR.sources(experiment)
    with pytest.raises(UserError, match=r"method\.viewpoint_batch -1"):
        override(experiment, {"method.viewpoint_batch": -1})


def test_presets_are_those_of_the_paper_and_of_its_code():
    leaves = ("viewpoint_batch", "gate", "gate_on", "references", "labels_kept")
    paper, released = (SSR.presets[name]() for name in ("paper", "released"))
    assert [getattr(paper.method, leaf) for leaf in leaves] == [32, 1.0, "labelled", "object_per_image", "forever"]
    assert [getattr(released.method, leaf) for leaf in leaves] == [64, 0.99, "last_batch", "by_rule", "forever"]
    for experiment in (paper, released):
        assert experiment.run.batch_size == 64
        assert (experiment.data.chosen_on, experiment.data.evaluation_split) == ("val", "test")
        assert experiment.run.evaluate_every


def test_the_val_file_chooses_what_the_test_file_scores(renders, tmp_path):
    experiment = tiny_experiment("ssr", renders, tmp_path)

    def splits(**changes):
        opened = SSR.sources(override(experiment, {f"data.{leaf}": value for leaf, value in changes.items()}))
        return {name: set(opened[name].table["split"].to_pylist()) for name in ("held_out", "tested") if name in opened}

    assert splits() == {"held_out": {"val"}, "tested": {"test"}}
    assert splits(evaluation_split="val") == {"held_out": {"val"}}
    assert splits(chosen_on="evaluation_split") == {"held_out": {"test"}}
    released = SSR.sources(override(experiment, {"data.protocol": "released"}))
    chosen, tested = (set(released[name].table["object"].to_pylist()) for name in ("held_out", "tested"))
    assert chosen
    assert tested
    assert not chosen & tested
