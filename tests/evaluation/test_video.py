"""Videos, read again by the library that wrote them."""

import av
import numpy as np
import pytest

from sem3d.evaluation.figures.video import write_video


def read_video(path) -> tuple[np.ndarray, list[float]]:
    """Frames as RGB, and the seconds at which they are shown."""
    with av.open(path) as file:
        frames = list(file.decode(video=0))
        return np.stack([frame.to_ndarray(format="rgb24") for frame in frames]), [frame.time for frame in frames]


@pytest.mark.parametrize("size", [(300, 261), (5, 3), (256, 256)], ids=str)
def test_frames_come_in_order_and_at_their_time_with_their_colours_in_their_places(size, tmp_path):
    height, width = size
    frames = np.zeros((4, height, width, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = (40 + 50 * number, 120, 90)
        frame[: height // 2, : width // 2] = (200, 60, 60 + 40 * number)
    write_video(frames, tmp_path / "a.mp4", 80)
    found, times = read_video(tmp_path / "a.mp4")
    assert times == pytest.approx([0, 0.08, 0.16, 0.24])
    assert all(side % 2 == 0 for side in found.shape[1:3])
    enlarged = found.shape[1] // height
    assert found.shape[1:3] == (height * enlarged + height * enlarged % 2, width * enlarged + width * enlarged % 2)
    assert min(found.shape[1:3]) >= 256
    rows, columns = ((np.array([0.25, 0.75]) * side * enlarged).astype(int) for side in size)
    inner = np.ix_(range(4), rows // enlarged, columns // enlarged)
    np.testing.assert_allclose(found[np.ix_(range(4), rows, columns)].astype(int), frames[inner].astype(int), atol=12)
    np.testing.assert_allclose(found[:, -1, -1].astype(int), frames[:, -1, -1].astype(int), atol=12)
