"""A small run of every task, for the contract that all of them keep: name -> function(folder) that makes the run."""

from __future__ import annotations

from evalkit.jobs.job import RunOptions


def generate(folder):
    from evalkit.tasks.generate import generate_images

    return generate_images("world-ar", "world", options=RunOptions(out=folder, limit=3, device="cpu"))


CASES = {"generate": generate}
