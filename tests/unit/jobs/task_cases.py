"""A small run of every task, for the contract that all of them keep: name -> function(folder) that makes the run."""

from __future__ import annotations

from evalkit.jobs.job import RunOptions


def generate(folder):
    from evalkit.tasks.generate import generate_images

    return generate_images("world-ar", "world", options=RunOptions(out=folder, limit=3, device="cpu"))


def detect(folder):
    from evalkit.watermark.detection import detect_watermark

    key = _key(folder)
    return detect_watermark(
        "sample/photos", key, "world-vq", search="flip", cache=_cache(folder), options=_options(folder, 5)
    )


def calibrate(folder):
    from evalkit.runs.store import read_run
    from evalkit.watermark.detection.calibrate import calibrate as calibrated
    from evalkit.watermark.methods.plain import plain_marks
    from evalkit.watermark.spec import MarkSpec

    mark = plain_marks([MarkSpec(lists=4)], [_key(folder)])
    out = folder.with_suffix(".npz")
    done = calibrated("sample/photos", "world-vq", mark, out, cache=_cache(folder), options=_options(folder, 5))
    return read_run(done.run)


def _key(folder):
    from evalkit.watermark.keys import new_key

    path = folder.with_name("my.key")
    if not path.exists():
        new_key(path)
    return path


def _cache(folder):
    return folder.with_name("codes.sqlite")


def _options(folder, limit):
    return RunOptions(out=folder, limit=limit, device="cpu")


CASES = {"generate": generate, "watermark-detect": detect, "watermark-calibrate": calibrate}
