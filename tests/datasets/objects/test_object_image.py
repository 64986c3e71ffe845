"""A user's own picture as the networks see it, and a mesh as a file."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from sem3d.datasets.objects.object_image import read_object_image, write_mesh
from sem3d.errors import UserError


def picture(path, size=(200, 120), box=(150, 20, 190, 100), color=(200, 100, 50, 255)):
    image = Image.new("RGBA", size, (255, 255, 255, 0))
    image.paste(color, box)
    image.save(path)
    return path


def test_an_object_is_cut_out_centred_and_over_black(tmp_path):
    image = read_object_image(picture(tmp_path / "x.png"))
    assert image.shape == (4, 64, 64)
    rows, columns = np.nonzero(image[3] > 128)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(31.5, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(31.5, abs=1)
    assert rows.max() - rows.min() + 1 == pytest.approx(0.72 * 64, abs=1.5)
    assert columns.max() - columns.min() + 1 == pytest.approx(0.36 * 64, abs=1.5)
    assert not image[:3, image[3] == 0].any()
    np.testing.assert_allclose(image[:3, 32, 32], [200, 100, 50], atol=2)


def test_a_render_stays_as_it_is(tmp_path):
    path = picture(tmp_path / "x.png", size=(64, 64), box=(3, 5, 20, 30))
    image = read_object_image(path)
    np.testing.assert_array_equal(image[3], np.asarray(Image.open(path))[..., 3])


def test_a_picture_that_cannot_be_used_is_refused_on_one_line(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "plain.png")
    Image.new("RGBA", (64, 64), (9, 9, 9, 0)).save(tmp_path / "empty.png")
    Image.new("RGBA", (64, 64), (9, 9, 9, 255)).save(tmp_path / "full.png")
    picture(tmp_path / "faint.png", color=(200, 100, 50, 1))
    (tmp_path / "text.png").write_text("no picture")
    damaged = bytearray(picture(tmp_path / "damaged.png").read_bytes())
    damaged[33:41] = b"\xff\xff\xff\xffIHDR"
    (tmp_path / "damaged.png").write_bytes(damaged)
    for name, said in (
        ("plain.png", "no alpha channel"),
        ("empty.png", "mask is empty"),
        ("faint.png", "alpha is at most 1 of 255, multiply it by 255"),
        ("full.png", "covers the whole picture"),
        ("damaged.png", "cannot be read"),
        ("text.png", "cannot be read"),
        ("none.png", "cannot be read"),
    ):
        with pytest.raises(UserError, match=said) as refused:
            read_object_image(tmp_path / name)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("size", "box"),
    [((4200, 4200), (2001, 2001, 2002, 4001)), ((5000, 9), (0, 4, 4999, 5)), ((1200, 90), (0, 4, 1100, 5))],
)
def test_a_line_too_thin_to_be_seen_is_refused(tmp_path, size, box):
    with pytest.raises(UserError, match=r"x.png shows nothing at 64 x 64 pixels: what is opaque in it is too thin"):
        read_object_image(picture(tmp_path / "x.png", size, box))


def test_a_small_object_of_a_huge_picture_is_seen_as_it_is(tmp_path):
    small = read_object_image(picture(tmp_path / "small.png", (400, 300), (150, 20, 191, 101)))
    huge = read_object_image(picture(tmp_path / "huge.png", (4200, 300), (150, 20, 191, 101)))
    np.testing.assert_array_equal(huge, small)
    dot = read_object_image(picture(tmp_path / "dot.png", (4200, 4200), (2001, 2001, 2002, 2002)))
    assert dot[3, 32, 32] == 255


def test_an_object_larger_than_is_kept_is_reduced_about_its_middle(tmp_path):
    small = read_object_image(picture(tmp_path / "small.png", (200, 100), (10, 20, 190, 80)))
    huge = read_object_image(picture(tmp_path / "huge.png", (6000, 3000), (300, 600, 5700, 2400)))
    np.testing.assert_allclose(huge.astype(int), small, atol=20)


@pytest.mark.parametrize("ending", [".obj", ".ply", ".glb"])
def test_a_mesh_comes_back_from_its_file(tmp_path, ending):
    box = trimesh.creation.box((1.0, 0.5, 0.2))
    write_mesh(tmp_path / f"made/mesh{ending}", np.asarray(box.vertices), np.asarray(box.faces))
    again = trimesh.load(tmp_path / f"made/mesh{ending}", force="mesh", process=False)
    np.testing.assert_allclose(again.vertices, box.vertices, atol=1e-6)
    assert again.volume == pytest.approx(0.1, rel=1e-5)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"\.obj, \.ply, \.glb"):
        write_mesh(tmp_path / "mesh.stl", np.zeros((3, 3)), np.array([[0, 1, 2]]))
