"""Radioactivity, tried: world-ar2 is tuned on images, and its outputs for other captions are tested for the mark.

A student is a copy of world-ar2 that sees 200 images of a teacher (world-ar2 itself) twice. The teacher is marked, or not;
captions and seeds are the same. `share`: of the training images that are marked; 0 is the same student for every mark, and
`trained` 0 is world-ar2 before it is tuned. All images, of teacher and of student, are PNG files that are read back. `p`: of
`evalkit watermark radioactive` with 999 decoys. `wrong_p`: the smallest p of 20 keys that nobody marked with, on the same
outputs; `wrong_05`: how many of them are at most 0.05. `called`: share of single outputs that the exact p calls at 1e-3.
`green`: share of coins that are green. `learned`: bits an image by which the training images became likelier.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_radioactive.py [--mark lbw] [--work DIR]
(adds the rows that watermark-radioactive.csv lacks; two CPU minutes a mark; images are kept in --work)
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from watermark_world import read, write

from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.generators.world_ar import WorldAR
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.jobs.options import RunOptions
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.base import seed_of
from evalkit.watermark.attacks.sizes import to_tensor
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.decoys.ranks import ranked
from evalkit.watermark.detection.radioactive import radioactive
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.world.second.prompts import second_prompts

KEY = Key(bytes(range(32)))
WRONG = [Key(bytes([i, 255 - i] * 16)) for i in range(1, 21)]
TRAINED, OUTPUTS, PASSES, BATCH, RATE, DELTA = 200, 60, 2, 32, 5e-4, 4.0
COUNTS = (10, 30, 60)
STUDENTS = ((1.0, TRAINED), (0.0, 0), (0.0, TRAINED))  # (share of marked images, images)
MARKS = {"lbw": MarkSpec("lbw"), "kgw": MarkSpec("kgw", gamma=0.5), "places": MarkSpec("places")}
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """`captions` [n] and the codes int64 [n, N] that are read from the PNG files `files`."""

    captions: tuple[str, ...]
    files: tuple[bytes, ...]
    codes: Ints


class Bench:
    """The teacher and the tokenizer."""

    def __init__(self) -> None:
        self.tokenizer = load_tokenizer("world-vq2", None, "cpu")

    def model(self) -> WorldAR:
        """world-ar2 anew."""
        found = load_generator("world-ar2", None, "cpu")
        if not isinstance(found, WorldAR):
            raise TypeError(type(found))
        return found

    def made(self, model: WorldAR, captions: Sequence[str], seed: int, mark: Mark | None = None) -> Images:
        """An image of each caption, saved and read."""
        if mark is not None:
            mark_generator(model, mark, DELTA)
        files: list[bytes] = []
        for start in range(0, len(captions), 50):
            part = captions[start : start + 50]
            numbers = [str(start + at) for at in range(len(part))]
            asked = [
                Request(number, caption, seed=seed_of(seed, number), sampler=model.default_sampler)
                for number, caption in zip(numbers, part, strict=True)
            ]
            codes = model.sample_tokens(asked)
            with torch.inference_mode():
                files += [png_bytes(model._pixels(row[None], (0,))[0]) for row in codes]
        model.logits_processors.clear()
        return Images(tuple(captions), tuple(files), self.read(files))

    def read(self, files: Sequence[bytes]) -> Ints:
        """The codes of files."""
        pixels = to_tensor([decode_image(each) for each in files])
        with torch.inference_mode():
            found = [self.tokenizer.encode(part).values.numpy() for part in pixels.split(50)]
        return np.concatenate(found).astype(np.int64)

    def tuned(self, images: Images) -> tuple[WorldAR, float]:
        """A copy of the model that saw the images `PASSES` times, and the bits an image that the loss fell by."""
        model = self.model()
        torch.manual_seed(0)
        text = torch.tensor([model.lexicon().encode(caption) for caption in images.captions])
        codes, network = torch.from_numpy(images.codes), model.network.float().train()
        network.requires_grad_(True)
        steps = [at for _ in range(PASSES) for at in torch.randperm(len(text)).split(BATCH)]
        optimiser = torch.optim.AdamW(network.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.0)
        losses = []
        for number, at in enumerate(steps):
            for group in optimiser.param_groups:
                group["lr"] = RATE * min(1.0, (number + 1) / 5, (len(steps) - number) / (len(steps) / 2))
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(text[at], codes[at])
            loss = F.cross_entropy(logits.float().flatten(0, 1), codes[at].flatten())
            losses.append(float(loss.detach()) * codes.shape[1] / np.log(2))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        network.requires_grad_(False).eval()
        each = len(steps) // PASSES
        return model, float(np.mean(losses[:each]) - np.mean(losses[-each:]))

    def mark(self, name: str, key: Key) -> Mark:
        """One of `MARKS`."""
        return mark_for(MARKS[name], key, self.tokenizer)

    def tested(self, name: str, images: Images) -> list[dict[str, Any]]:
        """What the outputs tell, for several numbers of them."""
        mark, rows = self.mark(name, KEY), []
        for count in COUNTS:
            codes = images.codes[:count]
            score = mark.score(codes)
            wrong = [p_of(self.mark(name, key), codes) for key in WRONG]
            rows.append(
                {
                    "outputs": count, "p": self.told(name, images.files[:count]), "wrong_p": min(wrong),
                    "wrong_05": sum(p <= 0.05 for p in wrong), "green": float((score.green / score.distinct).mean()),
                    "called": float((score.log_p <= np.log(1e-3)).mean()),
                }
            )  # fmt: skip
        return rows

    def told(self, name: str, files: Sequence[bytes]) -> float:
        """p as the command tells it."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "outputs").mkdir()
            for number, each in enumerate(files):
                (Path(folder) / "outputs" / f"{number:04d}.png").write_bytes(each)
            out = RunOptions(out=Path(folder) / "run")
            found = radioactive(
                Path(folder) / "outputs", KEY, self.tokenizer, mark=MARKS[name], cache=False, options=out
            )
            return found.p


def p_of(mark: Mark, codes: Ints) -> float:
    """The rank of a key's mean score among 999 decoys."""
    mine = mark.evidence(codes, mark.score(codes).green)
    scores = np.concatenate([decoys_of(mark, 999, "wrong").scores(codes), mine[:, None]], axis=1)
    return ranked(lambda: [scores], 0.01).mean_p


def main() -> None:
    """Measure, and write after every student."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mark", choices=MARKS, action="append")
    parser.add_argument("--work", type=Path, help="folder for images [default: one that is deleted]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured(given.mark or list(MARKS), given.work or Path(folder))


def measured(names: Sequence[str], work: Path) -> None:
    """Rows of the marks that are not there yet."""
    rows = [dict(row) for row in read("watermark-radioactive")]
    there = {(row["mark"], float(row["share"]), int(row["trained"])) for row in rows}
    bench = Bench()
    shown, asked = (tuple(p.caption for p in second_prompts(n, seed=s)) for n, s in ((TRAINED, 21), (OUTPUTS, 22)))
    for name, (share, trained) in itertools.product(names, STUDENTS):
        if (name, share, trained) in there:
            continue

        def teacher(mark: str) -> Images:
            key = None if mark == "none" else bench.mark(mark, KEY)
            return kept(work / f"teacher-{mark}.npz", shown, lambda: (bench.made(bench.model(), shown, 1, key), 0.0))[0]

        def student(name: str = name, share: float = share, trained: int = trained) -> tuple[Images, float]:
            model, learned = bench.tuned(teacher(name if share else "none")) if trained else (bench.model(), 0.0)
            return bench.made(model, asked, 2), learned

        outputs, learned = kept(work / f"student-{name if share else 'none'}-{trained}.npz", asked, student)
        told = {"mark": name, "share": share, "trained": trained, "learned": learned}
        rows += [{**told, **row} for row in bench.tested(name, outputs)]
        write("watermark-radioactive", rows)


def kept(file: Path, captions: tuple[str, ...], make: Callable[[], tuple[Images, float]]) -> tuple[Images, float]:
    """What a file holds; else what `make` gives, which the file then holds."""
    if not file.exists():
        images, learned = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        lengths = np.array([len(each) for each in images.files])
        joined = np.frombuffer(b"".join(images.files), np.uint8)
        np.savez(file, codes=images.codes, learned=learned, lengths=lengths, files=joined)
    with np.load(file) as held:
        ends = np.cumsum(held["lengths"])[:-1]
        files = tuple(part.tobytes() for part in np.split(held["files"], ends))
        return Images(captions, files, held["codes"]), float(held["learned"])


if __name__ == "__main__":
    main()
