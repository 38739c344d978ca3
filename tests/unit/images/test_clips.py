import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import content_digest, open_images
from evalkit.images.clips import ClipSet, videos_of
from evalkit.images.sample import Sample, Unreadable


def frame(path, level, side=6):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((side, side, 3), level, np.uint8)).save(path)


@pytest.fixture
def videos(tmp_path):
    """Two videos of 12 frames without leading zeros, and one of two."""
    for video in range(2):
        for i in range(12):
            frame(tmp_path / f"v{video}" / f"frame{i + 1}.png", 100 * video + i)
    for i in range(2):
        frame(tmp_path / "short" / f"{i}.png", 0)
    return tmp_path


def levels(clip):
    return clip.image[:, 0, 0, 0].tolist()


def test_the_first_frames_of_each_folder_come_in_the_order_of_their_numbers(videos):
    clips = ClipSet(open_images(videos), 11)
    assert clips.ids() == ["v0", "v1"]
    one, two = clips.read(0, 2)
    assert one.image.shape == (11, 6, 6, 3)
    assert levels(one) == list(range(11))
    assert levels(two) == list(range(100, 111))
    assert clips.skipped["videos of fewer than 11 frames"] == 1
    assert [levels(each) for each in clips.read(1, 2, threads=1)] == [levels(two)]


def test_a_clips_digest_is_that_of_its_frames(videos):
    clips = ClipSet(open_images(videos), 11)
    samples = list(clips.read(0, 2))
    assert clips.digest() == content_digest((each.id, each.sha256) for each in samples)
    before = clips.digest()
    frame(videos / "v1" / "frame12.png", 7)
    assert ClipSet(open_images(videos), 11).digest() == before
    frame(videos / "v1" / "frame3.png", 7)
    assert ClipSet(open_images(videos), 11).digest() != before


def test_names_tell_the_videos_where_there_are_no_folders():
    assert videos_of(["a-1.png", "a-10.png", "a-2.png", "b_7.png"]) == {"a-": [0, 2, 1], "b_": [3]}
    with pytest.raises(EvalkitError, match="Number the frames"):
        videos_of(["a.png"])


def test_a_frame_that_cannot_be_read_or_is_of_another_size_costs_its_clip(videos):
    (videos / "v0" / "frame2.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    frame(videos / "v1" / "frame2.png", 3, side=7)
    one, two = ClipSet(open_images(videos), 11).read(0, 2)
    assert isinstance(one, Unreadable)
    assert "frame2.png" in one.reason
    assert two == Unreadable("v1", "its frames are not all of one size", two.sha256)


def test_a_set_without_a_long_enough_video_is_refused(videos):
    with pytest.raises(EvalkitError, match="3 videos, and none of 99 frames"):
        ClipSet(open_images(videos), 99)
    assert isinstance(next(ClipSet(open_images(videos), 2).read(0, 1)), Sample)
