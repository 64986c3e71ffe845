"""Pictures one after the other as an MP4, by the optional package PyAV."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sem3d.files import whole_file

LEAST_SIDE = 256
"""Pixels: smaller pictures are enlarged by a whole factor, as H.264 keeps colours at half the resolution."""
QUALITY = "18"
"""Constant rate factor of x264; from there on a difference is hardly seen."""


def no_video() -> str:
    """Return in a line why no MP4 can be written and what to do; empty where one can."""
    try:
        import av
    except ImportError as error:
        return f"no MP4, av is not installed ({error}): pip install 'sem3d[video]', or -e '.[video]' here"
    return "" if "libx264" in av.codecs_available else "no MP4, this av has no libx264: take its wheel, pip install av"


def write_video(frames: UInt8[np.ndarray, "frame height width 3"], path: Path, milliseconds: int) -> None:
    """Write ``frames``, each shown so long, in H.264 with yuv420p, which all players have: both sides even, the last row or
    column once more where they are not.
    """
    import av

    times = -(-LEAST_SIDE // min(frames.shape[1:3]))
    large = frames.repeat(times, 1).repeat(times, 2)
    height, width = large.shape[1:3]
    even = np.pad(large, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with (
        whole_file(path) as pending,
        av.open(str(pending), "w", format="mp4", options={"movflags": "faststart"}) as file,
    ):
        stream = file.add_stream("libx264", rate=Fraction(1000, milliseconds), options={"crf": QUALITY})
        stream.height, stream.width, stream.pix_fmt = *even.shape[1:3], "yuv420p"
        for frame in even:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
