"""What stealing costs a thief, per method: images of a marked generator needed until forgeries succeed.

A source draws 64 codes among 256. The logits of a code are those of the code before it plus those of the image's prompt,
one of 500; both are normal with deviation 1.2. It is marked by each method. The thief has so many marked images and as
many unmarked ones, knows method and tokenizer, and scores each coin by the log ratio of its frequencies (`cooccurrence`:
by groups of images that share coins). Then he draws images as the source does, but of the eight likeliest codes takes the
one that scores highest, each coin once. `forged`: share of 60 forgeries that the detector calls at 1e-3; `found`: of 60
marked images. `message`: share of forgeries in which a message is read with probability above 0.9 (payload).

Rotation: with a new key every R images a thief never has more than R. Run: python benchmarks/tables/watermark_theft_curves.py
(writes watermark-theft-curves.csv and docs/images/watermark-theft.svg; with --draw the latter alone, of the rows that are there)
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lines_svg import Axis, figure, panel
from watermark_world import OUT, write

from evalkit.generators.base import Draws, Step
from evalkit.generators.sampling import pick
from evalkit.watermark.attacks.theft import theft_cooccurrence
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, build_mark
from evalkit.watermark.methods.payload import PayloadMark

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
V, N, NEAR, TRIED, BATCH = 256, 64, 8, 60, 500
IMAGES = (10, 30, 100, 300, 1000, 3000)
KEY = Key(bytes(range(32)))
FIGURE = Path(OUT).parents[1] / "docs" / "images" / "watermark-theft.svg"
LOGITS = torch.from_numpy(1.2 * np.random.default_rng(0).standard_normal((V + 1, V)))
PROMPTS = torch.from_numpy(1.2 * np.random.default_rng(1).standard_normal((500, V)))


@dataclass(frozen=True)
class Case:
    """A mark with its delta; `users`: messages that take turns; `grouped`: the thief groups images by their codes."""

    name: str
    spec: MarkSpec
    delta: float | None = 2.0
    users: int = 0
    grouped: bool = False


CASES = (
    Case("lbw, 1 list", MarkSpec("lbw")),
    Case("lbw, 16 lists", MarkSpec("lbw", lists=16)),
    Case("lbw, 16 lists, cooccurrence", MarkSpec("lbw", lists=16), grouped=True),
    Case("places", MarkSpec("places")),
    Case("kgw", MarkSpec("kgw", gamma=0.5)),
    Case("payload, one message", MarkSpec("payload", layout="id:16", carrier="places", message="0xBEEF")),
    Case("payload, 500 users", MarkSpec("payload", layout="id:16", carrier="places", message="0"), users=500),
    Case("gumbel, 16 lists", MarkSpec("gumbel"), None),
    Case("gumbel, 16 lists, cooccurrence", MarkSpec("gumbel"), None, grouped=True),
    Case("gumbel, 256 lists", MarkSpec("gumbel", lists=256), None),
    Case("dipmark", MarkSpec("dipmark"), None),
    Case("tournament", MarkSpec("tournament"), None),
    Case("tournament, 16 lists", MarkSpec("tournament", lists=16), None),
    Case("tournament, 16 lists, cooccurrence", MarkSpec("tournament", lists=16), None, grouped=True),
    Case("tournament, code before", MarkSpec("tournament", seeded="before"), None),
)


def drawn(count: int, seed: int, marks: Callable[[int], Mark] | None = None, delta: float | None = None) -> Ints:
    """int64 [count, N]: images of the source; `marks` gives the mark of each batch."""
    rng, found = np.random.default_rng(seed), []
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        seeds = tuple(range(seed * 10**6 + start, seed * 10**6 + start + size))
        mark = None if marks is None else marks(start // BATCH)
        tokens = torch.zeros(size, N, dtype=torch.int64)
        prompts = PROMPTS[rng.integers(len(PROMPTS), size=size)]
        uniform = torch.from_numpy(rng.random((size, N)))
        for at in range(N):
            before = tokens[:, at - 1] if at else torch.full((size,), V)
            step = Step(at, range(at, at + 1), tokens[:, :at], seeds)
            draws, logits = uniform[:, at : at + 1], (LOGITS[before] + prompts)[:, None]
            if mark is None:
                codes = pick(torch.softmax(logits, -1), draws)
            elif isinstance(mark, Draws):
                codes = mark.draw(torch.softmax(logits, -1), draws, step)
            else:
                codes = pick(torch.softmax(mark.bias(logits, step, delta or 0.0), -1), draws)
            tokens[:, at] = codes[:, 0]
        found.append(tokens.numpy())
    return np.concatenate(found)


def coins_of(mark: Mark, codes: Ints, before: Ints, places: Ints | int) -> Ints:
    """The coin of each code, as the thief knows it: the code, with its place, or with the code before."""
    if mark.method == "lbw":
        return codes
    by_before = mark.method == "kgw" or getattr(mark.__dict__.get("spec"), "seeded", None) == "before"
    return (before if by_before else places) * V + codes


def stolen(mark: Mark, marked: Ints, clean: Ints, *, grouped: bool) -> Floats:
    """A score for each coin."""
    seen = [coins_of(mark, each, _before(each), np.arange(N)) for each in (marked, clean)]
    size = V if mark.method == "lbw" else (V + 1) * V
    if grouped:
        return theft_cooccurrence(seen[0], size, mark.lists)[0] if len(marked) > mark.lists else np.zeros(size)
    counts = [np.bincount(each.ravel(), minlength=size) + 0.5 for each in seen]
    found: Floats = np.log(counts[0]) - np.log(counts[1])
    return found


def forged(mark: Mark, scores: Floats, seed: int) -> Ints:
    """int64 [TRIED, N]: of the likeliest codes behind the one before those that score best; a coin is worth its score once."""
    rng, rows = np.random.default_rng(seed), np.arange(TRIED)
    prompts = PROMPTS[rng.integers(len(PROMPTS), size=TRIED)]
    found, used = np.zeros((TRIED, N), np.int64), np.zeros((TRIED, len(scores)), bool)
    for at in range(N):
        before = found[:, at - 1] if at else np.full(TRIED, V)
        options = (LOGITS[before] + prompts).topk(NEAR, -1).indices.numpy()
        coins = coins_of(mark, options, before[:, None], at)
        worth = np.where(used[rows[:, None], coins], 0.0, scores[coins]) + 1e-9 * rng.random(coins.shape)
        best = worth.argmax(1)
        found[:, at] = options[rows, best]
        used[rows, coins[rows, best]] = True
    return found


def _before(codes: Ints) -> Ints:
    return np.concatenate([np.full((len(codes), 1), V), codes[:, :-1]], 1)


def called(mark: Mark, codes: Ints) -> npt.NDArray[np.bool_]:
    """Whether the detector calls them at 1e-3."""
    found: npt.NDArray[np.bool_] = mark.score(codes).log_p <= np.log(1e-3)
    return found


def curve(case: Case, images: Sequence[int], clean: Ints) -> list[dict[str, Any]]:
    """A row for each number of images."""

    def made(spec: MarkSpec) -> Mark:
        return build_mark(spec, KEY, "t@x", V)

    def of_user(number: int) -> Mark:
        return made(
            MarkSpec("payload", layout="id:16", carrier="places", message=str(977 * (number % case.users) % 65536))
        )

    mark = made(case.spec)
    global BATCH
    BATCH = 20 if case.users else 500
    marked = drawn(max(images), 1, of_user if case.users else lambda _: mark, case.delta)
    BATCH = 500
    own = marked[-TRIED:]
    rows = []
    for count in images:
        scores = stolen(mark, marked[:count], clean[:count], grouped=case.grouped)
        fakes = forged(mark, scores, 5)
        rows.append(
            {
                "method": case.name, "delta": case.delta or "", "images": count, "found": float(called(mark, own).mean()),
                "forged": float(called(mark, fakes).mean()),
                "message": float(np.mean([mark.read(row)[1] > 0.9 for row in fakes]))
                if isinstance(mark, PayloadMark) else "",
            }
        )  # fmt: skip
    return rows


def drawn_curves(rows: Sequence[dict[str, Any]]) -> str:
    """SVG: share of forgeries that pass, by images that the thief has; one list, pools, and messages."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {"One list": {}, "Pools of lists": {}, "Messages": {}}
    for row in rows:
        name = str(row["method"])
        kind = "Messages" if "payload" in name else "Pools of lists" if " lists" in name else "One list"
        panels[kind].setdefault(name, []).append((float(row["images"]), float(row["forged"])))
        if row["message"] not in ("", None):
            panels[kind].setdefault(f"{name}: read", []).append((float(row["images"]), float(row["message"])))
    axis = Axis("forgeries that pass, by marked images seen", IMAGES, by_factors=True)
    return figure([panel(title, curves, axis) for title, curves in panels.items()], 3, max(map(len, panels.values())))


def main() -> None:
    """Measure and write after every method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=IMAGES[-1])
    parser.add_argument("--draw", action="store_true")
    asked = parser.parse_args()
    if asked.draw:
        with (OUT / "watermark-theft-curves.csv").open(newline="") as lines:
            FIGURE.write_text(drawn_curves(list(csv.DictReader(lines))))
        return
    images = [each for each in IMAGES if each <= asked.most]
    clean = drawn(max(images), 2)
    rows: list[dict[str, Any]] = []
    for case in CASES:
        rows += curve(case, images, clean)
        write("watermark-theft-curves", rows)
    FIGURE.write_text(drawn_curves(rows))


if __name__ == "__main__":
    main()
