"""A shard of a scoring in bad weather: large images come alone, and one that does not fit costs itself only."""

import numpy as np
import pytest
import torch

from evalkit.images.sample import Sample, Unreadable
from evalkit.jobs.shard import Shard
from evalkit.tasks.score import worker
from evalkit.tasks.score.inputs import Asked
from evalkit.tasks.score.rows import IMAGES


class Listed:
    """Images of the given sides; one side of 13 px stands for what no memory holds."""

    def __init__(self, sides):
        self.sides = sides

    def read(self, start, stop, *, threads):
        for i in range(start, stop):
            side = self.sides[i]
            yield (
                Sample(str(i), np.full((side, side, 3), i, np.uint8), f"{i:064d}") if side else Unreadable(str(i), "no")
            )


class Seen:
    """A network that notes how many images it is given at once, and fails on images whose value is 3."""

    def __init__(self):
        self.batches = []

    def __call__(self, images):
        self.batches.append(tuple(images.shape[:1]) + tuple(images.shape[2:]))
        if (images == 3).any():
            raise MemoryError
        return {"pool": images.float().mean((2, 3)).numpy()}


def scored(sides, **more):
    network = Seen()
    made = worker.ScoreWorker(
        {IMAGES: Listed(sides)}, {IMAGES: len(sides)}, network, {}, Asked(), batch_size=4, threads=1, facts={}, **more
    )
    return network, made.process(Shard("a", 0, len(sides)), lambda n: None)


def test_an_image_that_no_memory_holds_costs_itself_and_no_neighbour():
    _, output = scored([8, 8, 8, 8, 8, 0, 8])
    errors = {row["id"]: row["error"] for row in output.rows.to_pylist() if row["error"]}
    assert set(errors) == {"3", "5"}
    assert "memory" in errors["3"]
    assert output.arrays[f"{IMAGES}|pool"][:, 0].tolist() == [0, 1, 2, 4, 6]


def test_a_gpu_that_is_full_halves_the_batch_and_no_image_is_lost(monkeypatch):
    class Full(Seen):
        def __call__(self, images):
            found = super().__call__(images)
            if len(images) > 2:
                raise torch.cuda.OutOfMemoryError("full")
            return found

    monkeypatch.setattr(worker, "TOGETHER", 2**24)
    network = Full()
    made = worker.ScoreWorker(
        {IMAGES: Listed([8] * 19)}, {IMAGES: 19}, network, {}, Asked(), batch_size=8, threads=1, facts={}
    )
    first, second = (made.process(Shard(key, *span), lambda n: None) for key, span in (("a", (4, 12)), ("b", (12, 19))))
    assert first.arrays[f"{IMAGES}|pool"][:, 0].tolist() == list(range(4, 12))
    assert second.arrays[f"{IMAGES}|pool"][:, 0].tolist() == list(range(12, 19))
    assert not any(output.rows["error"].to_pylist() != [None] * output.rows.num_rows for output in (first, second))
    assert [batch[0] for batch in network.batches] == [8, 4, 2, 2, 4, 2, 2, 2, 2, 2, 1]


@pytest.mark.parametrize(("pixels", "most"), [(2**24, 4), (128, 2), (64, 1), (8, 1)])
def test_images_that_are_looked_at_together_have_a_budget_of_pixels(monkeypatch, pixels, most):
    monkeypatch.setattr(worker, "TOGETHER", pixels)
    network, output = scored([8] * 3)
    assert max(batch[0] for batch in network.batches) == min(most, 3)
    assert len(output.arrays[f"{IMAGES}|pool"]) == 3
