"""The program in the README, as it stands there, and the example to begin from."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.methods.tiny import tiny_checkpoint

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the runs and pictures that the README names."""
    for name in ("pri3d", "semantic_segmentation_2d", "semantic_srn_unet", "ppkt", "ssr"):
        checkpoints = tmp_path / "runs" / f"{name}-..." / "checkpoints"
        checkpoints.mkdir(parents=True)
        tiny_checkpoint(name, checkpoints)
    pixels = np.random.default_rng(0).integers(0, 256, (66, 88, 4), dtype=np.uint8)
    Image.fromarray(pixels[..., :3]).save(tmp_path / "room.jpg")
    pixels[..., 3] = 0
    pixels[16:48, 20:44, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "chair.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_program_in_the_readme_runs_as_it_stands_there(place):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (program,) = [block for block in blocks if "sem3d.load" in block]
    generator = np.random.default_rng(0)
    made: dict = {"points": generator.uniform(0, 3, (2000, 3)).astype(np.float32)}
    made["colors"] = generator.integers(0, 256, (2000, 3), dtype=np.uint8)
    exec(program, made)
    assert made["features"].shape == (8, 17, 22)
    assert made["labels"].shape == made["parts"].shape == (66, 88)
    assert len(made["of_points"]) == 2000
    assert (place / "chair.glb").stat().st_size > 0


def test_the_example_tells_features_and_classes(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pictures", "runs/semantic_segmentation_2d-...", "room.jpg"])
    runpy.run_module("jobs.examples.pictures", run_name="__main__")
    said = capsys.readouterr().out
    assert "gives features, segment" in said
    assert "8 dimensions on 17 x 22 cells" in said
    assert (place / "features.png").is_file()
