"""What stealing costs a thief, per method: images of a marked generator needed until marks are forged, or removed.

A source draws 64 codes among 256. The logits of a code are those of the code before it plus those of the image's prompt,
one of 500; both are normal with deviation 1.2. It is marked by each method. The thief has so many marked images and as
many unmarked ones, knows method and tokenizer, and scores each coin by the log ratio of its frequencies (`cooccurrence`:
by groups of images that share coins).

`forged`: he draws images as the source does, but of the eight likeliest codes takes the one that scores highest, each coin
once; share of 60 that the detector calls at 1e-3. `removed`: of 60 marked images that he never saw he exchanges a quarter of
the codes, where that gains most, each for one of the eight likeliest between its neighbours; share of the found ones that
are no longer called. With no image at all (`images` 0) both are done blindly. `message`: share of forgeries in which a
message is read with probability above 0.9 (payload). `key every R`: after R images comes a new key, the detector knows
the last four, and the thief uses the images of the newest.

Run: python benchmarks/tables/watermark_theft_curves.py [--case NAME …] (adds the rows that watermark-theft-curves.csv lacks
and draws docs/images/watermark-theft.svg; with --draw the latter alone, and the table of images needed)
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lines_svg import Axis, figure, panel
from watermark_world import OUT, read, write

from evalkit.generators.base import Draws, Step
from evalkit.generators.sampling import pick
from evalkit.watermark.attacks.theft import theft_cooccurrence
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, Several, build_mark
from evalkit.watermark.methods.payload import PayloadMark

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
V, N, NEAR, TRIED, BATCH, CHANGED, EPOCHS = 256, 64, 8, 60, 500, 16, 4
IMAGES = (0, 10, 30, 100, 300, 1000, 3000)
KEY = Key(bytes(range(32)))
FIGURE = Path(OUT).parents[1] / "docs" / "images" / "watermark-theft.svg"
LOGITS = torch.from_numpy(1.2 * np.random.default_rng(0).standard_normal((V + 1, V)))
PROMPTS = torch.from_numpy(1.2 * np.random.default_rng(1).standard_normal((500, V)))
CODEBOOK = np.random.default_rng(2).standard_normal((V, 8))
BY_CODE = ("lbw", "indexmark", "clusters", "bitmark")  # a coin is a code, wherever it stands
Marks = Callable[[int], Mark]  # the mark of an image by its number


@dataclass(frozen=True)
class Case:
    """A mark with its delta; `users`: messages that take turns; `grouped`: the thief groups images by their codes.

    `every`: images until a new key comes.
    """

    name: str
    spec: MarkSpec
    delta: float | None = 2.0
    users: int = 0
    grouped: bool = False
    every: int = 0


PAYLOAD = MarkSpec("payload", layout="id:16", carrier="places", message="0xBEEF")
GUMBEL = MarkSpec("gumbel")
CASES = (
    Case("lbw, 1 list", MarkSpec("lbw")),
    Case("lbw, 1 paired list", MarkSpec("lbw", kind="paired")),
    Case("lbw, 16 lists", MarkSpec("lbw", lists=16)),
    Case("lbw, 16 lists, cooccurrence", MarkSpec("lbw", lists=16), grouped=True),
    Case("lbw, 64 lists, cooccurrence", MarkSpec("lbw", lists=64), grouped=True),
    Case("indexmark", MarkSpec("indexmark")),
    Case("clusters", MarkSpec("clusters", clusters=128)),
    Case("bitmark", MarkSpec("bitmark", pattern=4), 0.5),
    Case("places", MarkSpec("places")),
    Case("places, key every 30", MarkSpec("places"), every=30),
    Case("places, key every 100", MarkSpec("places"), every=100),
    Case("kgw", MarkSpec("kgw", gamma=0.5)),
    Case("wmar", MarkSpec("wmar", gamma=0.5)),
    Case("kgw, key every 30", MarkSpec("kgw", gamma=0.5), every=30),
    Case("payload, one message", PAYLOAD),
    Case("payload, 500 users", PAYLOAD, users=500),
    Case("gumbel, 1 list", MarkSpec("gumbel", lists=1), None),
    Case("gumbel, 16 lists", GUMBEL, None),
    Case("gumbel, 16 lists, cooccurrence", GUMBEL, None, grouped=True),
    Case("gumbel, 256 lists", MarkSpec("gumbel", lists=256), None),
    Case("dipmark", MarkSpec("dipmark"), None),
    Case("dipmark, 16 lists, cooccurrence", MarkSpec("dipmark", lists=16), None, grouped=True),
    Case("tournament", MarkSpec("tournament"), None),
    Case("tournament, 16 lists", MarkSpec("tournament", lists=16), None),
    Case("tournament, 16 lists, cooccurrence", MarkSpec("tournament", lists=16), None, grouped=True),
    Case("tournament, code before", MarkSpec("tournament", seeded="before"), None),
)


def drawn(count: int, seed: int, marks: Marks | None = None, delta: float | None = None, batch: int = BATCH) -> Ints:
    """int64 [count, N]: images of the source; the images of a batch have the mark of its first one."""
    rng, found = np.random.default_rng(seed), []
    for start in range(0, count, batch):
        size = min(batch, count - start)
        seeds = tuple(range(seed * 10**6 + start, seed * 10**6 + start + size))
        mark = None if marks is None else marks(start)
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


def by_before(mark: Mark) -> bool:
    """Whether the code before decides over a code's coin."""
    return mark.method in ("kgw", "wmar") or getattr(mark.__dict__.get("spec"), "seeded", None) == "before"


def coins_of(mark: Mark, codes: Ints, before: Ints, places: Ints | int) -> Ints:
    """The coin of each code, as the thief knows it: the code or its cluster, with its place, or with the code before."""
    if mark.method in BY_CODE:
        return np.asarray(mark.units(np.arange(V)))[codes] if mark.method == "clusters" else codes
    return (before if by_before(mark) else places) * V + codes


def stolen(mark: Mark, marked: Ints, clean: Ints, *, grouped: bool) -> Floats:
    """A score for each coin [groups, coins]; nothing is known without images."""
    seen = [coins_of(mark, each, _before(each), np.arange(N)) for each in (marked, clean)]
    size = V if mark.method in BY_CODE else (V + 1) * V
    if not len(marked) or (grouped and len(marked) <= mark.lists):
        return np.zeros((1, size))
    if grouped:
        return theft_cooccurrence(seen[0], size, mark.lists)
    counts = [np.bincount(each.ravel(), minlength=size) + 0.5 for each in seen]
    found: Floats = np.log(counts[0]) - np.log(counts[1])
    return found[None]


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


def removed(mark: Mark, images: Ints, scores: Floats, seed: int) -> Ints:
    """int64 [n, N]: images of which `CHANGED` codes were exchanged, where that lowers the score [groups, coins] most.

    An image's group is the one that scores it highest.
    """
    rng, rows, places = np.random.default_rng(seed), np.arange(len(images))[:, None, None], np.arange(N)[:, None]
    before, after = _before(images), np.concatenate([images[:, 1:], np.full((len(images), 1), -1)], 1)
    likely = LOGITS.numpy()[before] + np.where(after[..., None] >= 0, LOGITS.numpy()[:V].T[after], 0.0)
    options = np.argsort(-likely, -1)[..., :NEAR]
    every = np.concatenate([images[..., None], options], -1)  # the code as it is comes first
    coins = coins_of(mark, every, before[..., None], places)
    group = scores[:, coins[..., 0]].sum(-1).argmax(0)[:, None, None]
    worth = scores[group, coins]
    if by_before(mark):  # the next code's coin changes as well
        worth = worth + np.where(
            after[..., None] >= 0, scores[group, coins_of(mark, after[..., None], every, places)], 0
        )
    worth = worth + 1e-9 * rng.random(worth.shape)
    best = worth[..., 1:].argmin(-1)
    lowest = np.take_along_axis(worth[..., 1:], best[..., None], -1)[..., 0]
    gained = np.argsort(lowest - worth[..., 0], 1)[:, :CHANGED]
    found = images.copy()
    chosen = np.take_along_axis(options, best[..., None], -1)[..., 0]
    found[rows[..., 0], gained] = chosen[rows[..., 0], gained]
    return found


def _before(codes: Ints) -> Ints:
    return np.concatenate([np.full((len(codes), 1), V), codes[:, :-1]], 1)


def called(mark: Mark, codes: Ints) -> npt.NDArray[np.bool_]:
    """Whether the detector calls them at 1e-3."""
    found: npt.NDArray[np.bool_] = mark.score(codes).log_p <= np.log(1e-3)
    return found


def curve(case: Case, images: Sequence[int], clean: Ints) -> list[dict[str, Any]]:
    """A row for each number of images."""
    most, every = max(images), case.every or (case.users and 20) or BATCH
    marks = marks_of(case, clean, every)
    newest = marks(most - 1)
    marked = drawn(most, 1, marks, case.delta, every)
    targets = drawn(TRIED, 3, lambda _: newest, case.delta)
    detector = newest
    if case.every:
        detector = Several([marks(most - 1 - back * case.every) for back in range(EPOCHS)])
    own, rows = called(detector, targets), []
    for count in images:
        known = min(count, case.every or count)
        seen = marked[most - known :] if case.every else marked[:known]
        scores = stolen(newest, seen, clean[:known], grouped=case.grouped)
        fakes = forged(newest, scores[0], 5)
        left = called(detector, removed(newest, targets, scores, 6))
        rows.append(
            {
                "method": case.name, "delta": case.delta or "", "images": count, "found": float(own.mean()),
                "forged": float(called(detector, fakes).mean()),
                "removed": 1 - float((left & own).sum()) / max(int(own.sum()), 1),
                "message": float(np.mean([detector.read(row)[1] > 0.9 for row in fakes]))
                if isinstance(detector, PayloadMark) else "",
            }
        )  # fmt: skip
    return rows


def marks_of(case: Case, clean: Ints, every: int) -> Marks:
    """The mark of each image by its number: one, or one for each user or epoch, which `every` images share."""

    def made(spec: MarkSpec) -> Mark:
        counts = np.bincount(clean[:2000].ravel(), minlength=V)
        return build_mark(spec, KEY, "t@x", V, frequencies=counts, codebook=lambda: CODEBOOK, bits=8)

    def of_user(number: int) -> Mark:
        return made(replace(case.spec, message=str(977 * (number // every % case.users) % 65536)))

    def of_epoch(number: int) -> Mark:
        return made(case.spec.at(str(number // every)))

    one = made(case.spec)
    return of_user if case.users else of_epoch if case.every else lambda number: one


def drawn_curves(rows: Sequence[dict[str, Any]]) -> str:
    """SVG: shares of forgeries that pass and of marks that are removed, by images that the thief has."""
    kinds = ("One list", "Pools of lists", "Messages and new keys")
    axis = Axis("by marked images seen", IMAGES[1:], by_factors=True)
    panels = []
    for what in ("forged", "removed"):
        for kind in kinds:
            curves: dict[str, list[tuple[float, float]]] = {}
            for row in (each for each in rows if kind == kind_of(each["method"]) and float(each["images"])):
                curves.setdefault(row["method"], []).append((float(row["images"]), float(row[what])))
                if what == "forged" and row["message"] not in ("", None):
                    curves.setdefault(f"{row['method']}: read", []).append(
                        (float(row["images"]), float(row["message"]))
                    )
            panels.append(panel(f"{kind}: {what}", curves, axis))
    return figure(panels, len(kinds), max(sum(kind_of(c.name) == kind for c in CASES) for kind in kinds))


def kind_of(name: str) -> str:
    """The panel of a method."""
    if "payload" in name or "every" in name:
        return "Messages and new keys"
    return "Pools of lists" if " lists" in name else "One list"


def needed(rows: Sequence[dict[str, Any]], what: str) -> str:
    """Images until a thief has half of what he lacks without images, on a line between the two counts, by factors."""
    curve = [(float(row["images"]), float(row[what])) for row in rows]
    half = (1 + curve[0][1]) / 2
    for (low, under), (high, over) in itertools.pairwise(curve):
        if over >= half:
            if not low:
                return f"below {high:,.0f}"
            return f"{float(f'{low * (high / low) ** ((half - under) / (over - under)):.2g}'):,.0f}"
    return f"above {curve[-1][0]:,.0f}"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: images needed, a line for each method."""
    lines = [
        "| method | found | images to forge half | images to remove half | removed blindly |",
        "|---|---|---|---|---|",
    ]
    for case in CASES:
        mine = [row for row in rows if row["method"] == case.name]
        if mine:
            found, blind = (float(mine[0][name]) for name in ("found", "removed"))
            cells = (f"{found:.2f}", needed(mine, "forged"), needed(mine, "removed"), f"{blind:.2f}")
            lines.append(f"| {case.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write after every method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", help="part of its name [default: those that lack]")
    parser.add_argument("--draw", action="store_true")
    asked = parser.parse_args()
    rows = read("watermark-theft-curves")
    if not asked.draw:
        rows = measured(rows, asked.case or [""])
    FIGURE.write_text(drawn_curves(rows))
    print(table(rows))


def measured(rows: list[dict[str, Any]], parts: Sequence[str]) -> list[dict[str, Any]]:
    """Rows with those of the cases that are named so and not there yet, in the order of `CASES`."""
    clean = drawn(max(IMAGES), 2)
    order = [case.name for case in CASES]
    there = {row["method"] for row in rows}
    for case in (each for each in CASES if each.name not in there and any(part in each.name for part in parts)):
        rows = sorted([*rows, *curve(case, IMAGES, clean)], key=lambda row: order.index(row["method"]))
        write("watermark-theft-curves", rows)
    return rows


if __name__ == "__main__":
    main()
