"""The annotation page, from clicks in a browser to what the aggregation reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.objects.raw_keypoints import read_marks
from sem3d.errors import UserError
from sem3d.reporting.page.annotation import MarkedMesh, annotation_page
from sem3d.reporting.page.verification import verification_page
from tests.browser import Page, in_browser

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
SQUARES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
FACES = np.array([corners for a, b, c, d in SQUARES for corners in ((a, b, c), (a, c, d))])
CUBES = [MarkedMesh(f"cube{number}", CORNERS * (number + 1), FACES) for number in range(2)]
HALF = 0.5 / np.sqrt(3)
"""Half the side of a cube whose diagonal is 1."""


async def mark_both(page: Page) -> str:
    await page.click_on("#view")
    await page.click_on("#view", 0.45, 0.55)
    await page.click_on("#view", 0.02, 0.02)  # beside the cube
    await page.click_on("#next")
    await page.click_on("#view")
    await page.click_on("#indices button:nth-child(6)")
    await page.click_on("#view", 0.5, 0.6)
    await page.value(
        "(() => { const name = document.getElementById('person'); name.value = 'ann';"
        "name.dispatchEvent(new Event('input')); })()"
    )
    assert await page.value("document.querySelectorAll('#earlier canvas:not([hidden])').length") == 1
    return await page.value("document.getElementById('json').value")


@pytest.mark.slow
def test_clicks_become_marks_on_the_surface_that_the_engine_reads(tmp_path: Path):
    (tmp_path / "page.html").write_text(annotation_page("cube <&>", "00000001", CUBES))
    written = in_browser(tmp_path / "page.html", tmp_path, mark_both)
    content = json.loads(written)
    assert content["person"] == "ann"
    assert [[mark["index"] for mark in model["marks"]] for model in content["models"]] == [[0, 1], [0, 5]]
    for model in content["models"]:
        for mark in model["marks"]:
            assert np.abs(mark["xyz"]).max() == pytest.approx(HALF, abs=1e-4)
            assert sum(mark["weights"]) == pytest.approx(1)
            corners = (CORNERS - 0.5)[FACES[mark["face"]]] / np.sqrt(3)
            np.testing.assert_allclose(np.array(mark["weights"]) @ corners, mark["xyz"], atol=1e-4)
            # the beholder stands before the front, at -z, to the object's right
            assert mark["xyz"][2] == pytest.approx(-HALF, abs=1e-4) or mark["xyz"][0] == pytest.approx(HALF, abs=1e-4)
    (tmp_path / "ann.json").write_text(written)
    surface = np.random.default_rng(0).random((400, 3)) - 0.5
    surface[np.arange(400), np.arange(400) % 3] = np.where(np.arange(400) % 2, 0.5, -0.5)
    clouds = {mesh.model_id: surface / np.sqrt(3) for mesh in CUBES}
    names, raw = read_marks([tmp_path / "ann.json"], clouds)
    assert names == ["cube0", "cube1"]
    assert (raw.marks[0] >= 0).tolist() == [[True, True, False], [True, False, True]]
    np.testing.assert_allclose(
        surface[raw.marks[0][0, 0]] / np.sqrt(3), content["models"][0]["marks"][0]["xyz"], atol=0.08
    )


def person(**changes) -> str:
    content = {
        "format": 1,
        "person": "b",
        "models": [{"model_id": "m", "marks": [{"index": 0, "xyz": [0.0, 0.0, 0.0]}]}],
    }
    return json.dumps(content | changes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "no file of the annotation page"),
        (person(format=2), "no file of the annotation page"),
        (person(models=[{"model_id": "m"}]), "without model_id and marks"),
        (person(models=[{"model_id": "m", "marks": []}] * 2), "or twice"),
        (person(models=[{"model_id": "m", "marks": [{"index": 24, "xyz": [0, 0, 0]}]}]), "index from 0 to 23"),
        (person(models=[{"model_id": "m", "marks": [{"index": 0, "xyz": [0, 0]}]}]), "no place of three numbers"),
        (person(models=[{"model_id": "m", "marks": [{"index": 0, "xyz": [0, 0, 5]}]}]), "is not on its cloud"),
        (person(models=[{"model_id": "x", "marks": [{"index": 0, "xyz": [0, 0, 0]}]}]), "marks x, which has no cloud"),
        (person(models=[{"model_id": "m", "marks": []}]), "nobody marked anything"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, text, words):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(UserError, match=words):
        read_marks([tmp_path / "b.json"], {"m": np.zeros((4, 3))})


def test_the_page_needs_nothing_else_and_no_name_ends_its_data():
    text = annotation_page("a</script>", "1", [MarkedMesh("</script><b>", CORNERS, FACES)])
    assert "http" not in text.replace("http-equiv", "")
    assert "</script><b>" not in text


async def judge(page: Page) -> str:
    await page.click_on("#meanings li:nth-child(2) .verdict")
    await page.click_on("#meanings li:nth-child(3) .pick")
    await page.click_on("#next")
    await page.click_on("#view")
    await page.click_on("#view", 0.45, 0.55)  # it has that meaning by now
    return await page.value("document.getElementById('json').value")


@pytest.mark.slow
def test_meanings_are_judged_and_missed_keypoints_come_with_their_mirror_images(tmp_path: Path):
    places = (CORNERS[:4] - 0.5) / np.sqrt(3)
    keypoints = [(np.arange(4), places), (np.arange(2), places[:2])]
    text = verification_page("cube", "00000001", CUBES, keypoints, {2: 3, 3: 2})
    (tmp_path / "page.html").write_text(text)
    content = json.loads(in_browser(tmp_path / "page.html", tmp_path, judge))
    assert (content["accepted"], content["rejected"]) == ([0, 2, 3], [1])
    clicked, mirrored = content["added"]
    assert [(one["model_id"], one["meaning"], one["prior"]) for one in (clicked, mirrored)] == [
        ("cube1", 2, "click"),
        ("cube1", 3, "symmetry"),
    ]
    np.testing.assert_allclose(mirrored["xyz"], np.array(clicked["xyz"]) * [-1, 1, 1], atol=0.06)
