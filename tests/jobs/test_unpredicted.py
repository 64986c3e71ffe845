"""Methods without a prediction from one file: the refusal says why, and what to call."""

import pytest

from jobs import predict
from sem3d.methods import METHODS, method_class
from tests.jobs.outcome import outcome


@pytest.mark.parametrize("name", METHODS)
def test_a_method_predicts_or_says_in_one_line_why_not(name, monkeypatch, capsys):
    method = method_class(name)
    assert method.prediction or method.unpredicted
    if not method.prediction:
        code, _, error = outcome(predict.main, monkeypatch, capsys, name, "--image", "x.png", "--out", "y.png")
        assert (code, len(error.splitlines())) == (2, 1)
        assert method.unpredicted in error
        assert "predict" in method.unpredicted.partition(";")[2]
