"""Messages in images: what attacks leave of them on the reference world, and how good their code is.

1. `watermark-payload.csv`: unmarked images of world-ar are marked by pixels with a message each run; per layout and
   attack the share in which its presence is found at 1e-3, errors of coins, of message bits and of whole messages (over
   all images), and messages read wrongly among those whose presence was found.
2. `watermark-payload-code.csv`: word errors of simulated channels, beside the random-coding bound, and beside BCH codes
   of about the same length and message with a decoder of bounded distance, whose error is P[Binomial(n, eps) > t].
3. `watermark-payload-users.csv`: one user among 1,000,000 in words of 40 bits, 256 coins: named rightly, named wrongly
   at a family-wise 0.01, and what reading without candidates gives.
4. `watermark-payload-made.csv`: messages that world-ar2 carries from its generation on, four keys and messages a row:
   presence, errors, the chance to read it that `evalkit watermark power --bits` plans for the coins and the share of green
   ones that were read back, and of 40 bits who among 1,000,000 users is named. `another user`: all of the candidates
   are wrong. Rows of other weights of world-ar2 are measured again.

Run: python benchmarks/tables/watermark_payload.py [--images 60] [--trials 300] [--part images|code|users|made]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom
from second_world import SecondWorld
from watermark_unbiased import weights_digest
from watermark_world import KEY, World, psnr_of, read, write

from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels
from evalkit.watermark.attacks import read_attack
from evalkit.watermark.detection.grids import counted_cells
from evalkit.watermark.detection.views import View
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, build_mark, mark_for
from evalkit.watermark.methods.payload import PayloadMark
from evalkit.watermark.payload.capacity import read_chance
from evalkit.watermark.payload.trellis import Trellis, best_message

Ints = npt.NDArray[np.int64]
CROP = "crop:0.9:centre"
ATTACKS = ("png", "jpeg:90", "jpeg:75", "resize:0.5", CROP, "noise:0.02")
LAYOUTS = (("id:8", 0x5A), ("id:16", 0xBEEF), ("id:24", 0x5EAF00))
BCH = ((63, 16, 11), (127, 36, 15), (255, 64, 30))  # n, k, t; the last has 63 message bits
USERS, WORD, COINS = 1_000_000, 40, 256
MADE = (("places", WORD, 4.0), ("places", 16, 2.0), ("places", 16, 4.0), ("places", 32, 4.0), ("codes", 16, 4.0))
RUNS = 4  # keys, each with a message of its own, that the images of a row are made with


def images(count: int) -> None:
    """Part 1."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        world = World(count, Path(folder))
        plain, _ = world.images("unmarked", 1)
        for layout, message in LAYOUTS:
            mark = _payload(mark_for(_spec(layout, message), KEY, world.tokenizer))
            marked, _ = world.nudged(layout.replace(":", ""), plain, Places(mark), Nudge(levels=8))
            cost = psnr_of(marked, plain)
            for spelling in ATTACKS:
                ruined = read_attack(spelling).files(marked, list(range(count)))
                images = [decode_image(file.data) for file in ruined]
                told = {"layout": layout, "levels": 8, "psnr_db": cost}
                rows.append({**told, "attack": spelling, **errors(mark, world.codes(images))})
                if spelling == CROP:
                    rows.append({**told, "attack": f"{CROP}, scale undone", **errors(mark, undone(world, images), 2)})
                write("watermark-payload", rows)


class Places:
    """A mark by places, as `World.nudged` asks for it."""

    method = "places"

    def __init__(self, mark: PayloadMark) -> None:
        self.green_places = mark.green_places


def undone(world: World, images: Sequence[Pixels]) -> Ints:
    """Codes after the view that `detect --search scales:0.9` tries; -1 where it had to fill."""
    seen = [View(scale=0.9).look(image) for image in images]
    codes = world.codes([image for image, _ in seen])
    side = round(codes.shape[1] ** 0.5)
    kept = [counted_cells(known, codes.shape[1], (side, side), ()) for _, known in seen]
    return np.array([row if some is None else np.where(some, row, -1) for row, some in zip(codes, kept, strict=True)])


def errors(mark: PayloadMark, codes: Ints, views: int = 1) -> dict[str, Any]:
    """Of one message in many images, looked for in so many views."""
    blind = PayloadMark(replace(mark.spec, message=None), mark.key, mark.tokenizer, mark.vocabulary)
    present = blind.score(codes).log_p <= np.log(1e-3 / views)
    found = [blind.read(row) for row in codes]
    wrong = np.array([message != mark.message for message, _, _ in found])
    bits = np.array([(message ^ (mark.message or 0)).bit_count() for message, _, _ in found])
    return {
        "images": len(codes), "present_at_1e-3": float(present.mean()),
        "coin_error": float(1 - np.mean([mark.colours(row, 0)[row >= 0].mean() for row in codes])),
        "bit_error": float(bits.mean() / mark.trellis.bits), "word_error": float(wrong.mean()),
        "wrong_of_present": float(wrong[present].mean()) if present.any() else "",
        "probability": float(np.mean([probability for _, probability, _ in found])),
    }  # fmt: skip


def made(count: int) -> None:
    """Part 4."""
    digest = weights_digest(None)
    rows = [row for row in read("watermark-payload-made") if row["weights"] == digest]
    there = {(row["carrier"], int(row["bits"]), float(row["delta"])) for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        for case in (each for each in MADE if each not in there):
            world = SecondWorld(count, Path(folder), None)
            told = dict(zip(("carrier", "bits", "delta"), case, strict=True))
            for attack, found in made_rows(world, *case).items():
                rows.append({**told, "weights": digest, "attack": attack, **found})
            write("watermark-payload-made", rows)


def made_rows(world: SecondWorld, carrier: str, bits: int, delta: float) -> dict[str, dict[str, Any]]:
    """By attack: means over keys, each with its part of the captions."""
    prompts, found = world.prompts, dict[str, list[dict[str, Any]]]()
    for run in range(RUNS):
        rng = np.random.default_rng([bits, round(delta), run])
        message = int(rng.integers(USERS if bits == WORD else 2**bits))
        spec = MarkSpec("payload", layout=f"id:{bits}", carrier=carrier, message=str(message))
        mark = _payload(mark_for(spec, Key(rng.bytes(32)), world.tokenizer))
        world.prompts = prompts[run::RUNS]
        marked, _ = world.images(f"{carrier}-{bits}-{delta}-{run}", run, mark, delta)
        for spelling in ATTACKS:
            ruined = read_attack(spelling).files(marked, list(range(len(marked))))
            images = [decode_image(file.data) for file in ruined]
            found.setdefault(spelling, []).append(read_from(mark, world.codes(images)))
            if spelling == CROP:
                found.setdefault(f"{CROP}, scale undone", []).append(read_from(mark, undone(world, images), 2))
    world.prompts = prompts
    return {attack: averaged(each) for attack, each in found.items()}


def read_from(mark: PayloadMark, codes: Ints, views: int = 1) -> dict[str, Any]:
    """Errors, the plan for such coins, and who is named."""
    coins = np.array([len(mark.distinct(row)[0]) for row in codes])
    green = float(np.mean([mark.colours(row, 0)[row >= 0].mean() for row in codes]))
    told = {
        **errors(mark, codes, views), "coins": float(np.median(coins)),
        "planned_read": read_chance(mark.trellis.bits, round(float(np.median(coins))), green),
    }  # fmt: skip
    if mark.trellis.bits != WORD or mark.message is None:
        return told
    others = (np.arange(USERS, dtype=np.uint64) + np.uint64(mark.message + 1)) % np.uint64(2**WORD)
    for name, asked in (("user", np.arange(USERS, dtype=np.uint64)), ("another_user", others)):
        seen = [mark.read(row, asked) for row in codes]
        sure = np.array([log_p <= np.log(0.01 / views) for _, _, log_p in seen])
        right = np.array([message == mark.message for message, _, _ in seen])
        told |= {f"{name}_named": float((sure & right).mean()), f"{name}_named_wrongly": float((sure & ~right).mean())}
    return told


def averaged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means; the number of images adds up, and what a row lacks counts in none."""
    told: dict[str, Any] = {"images": sum(row["images"] for row in rows)}
    for name in rows[0]:
        if name != "images":
            values = [row[name] for row in rows if row[name] != ""]
            told[name] = float(np.mean(values)) if values else ""
    named = ("user_named", "user_named_wrongly", "another_user_named", "another_user_named_wrongly")
    return {**told, **{name: told.get(name, "") for name in named}}


def code(trials: int) -> None:
    """Part 2."""
    rows = []
    for length, bits, corrects in BCH:
        for wrong in (0.05, 0.1, 0.15, 0.2, 0.25):
            trellis, rng, failed = Trellis(bits), np.random.default_rng([bits, round(wrong * 100)]), 0
            for _ in range(trials):
                windows, masks = trellis.windows(rng.random(length)), rng.integers(1, 1 << trellis.span, length)
                signs = np.where(rng.random(length) < wrong, -1, 1)  # the message 0: every parity is 0
                failed += best_message(trellis.metrics(windows, masks, signs))[0] != 0
            rows.append(
                {
                    "coins": length, "bits": bits, "coin_error": wrong, "trials": trials, "word_error": failed / trials,
                    "bound": 1 - read_chance(bits, length * 4 // 3, 1 - wrong),
                    "bch_word_error": float(binom.sf(corrects, length, wrong)),
                }
            )  # fmt: skip
            write("watermark-payload-code", rows)


def users(trials: int) -> None:
    """Part 3."""
    rows: list[dict[str, Any]] = []
    asked = np.arange(USERS, dtype=np.uint64)
    for green in (0.95, 0.9, 0.85, 0.8, 0.75):
        rng, named, wrong, blind = np.random.default_rng(round(100 * green)), 0, 0, 0
        for trial in range(trials):
            user = int(rng.integers(USERS))
            spec = MarkSpec("payload", layout=f"user:{WORD}", carrier="places", message=str(user))
            mark = _payload(build_mark(spec, Key((trial + 1).to_bytes(32, "big")), "t@x", 512))
            seen = rng.random(COINS) < green
            codes = np.array(
                [rng.choice(np.flatnonzero(row == s)) for row, s in zip(mark.green_places(0, COINS), seen, strict=True)]
            )
            message, _, log_p = mark.read(codes, asked)
            named += message == user and log_p <= np.log(0.01)
            wrong += message != user and log_p <= np.log(0.01)
            blind += mark.read(codes)[0] == user
        rows.append(
            {
                "users": USERS, "bits": WORD, "coins": COINS, "green": green, "images": trials, "named": named / trials,
                "named_wrongly": wrong / trials, "read_without_candidates": blind / trials,
            }
        )  # fmt: skip
        write("watermark-payload-users", rows)


def _spec(layout: str, message: int | None) -> MarkSpec:
    return MarkSpec("payload", layout=layout, carrier="places", message=None if message is None else hex(message))


def _payload(mark: Any) -> PayloadMark:
    if not isinstance(mark, PayloadMark):
        raise TypeError(type(mark))
    return mark


def main() -> None:
    """Measure and write after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--part", choices=("images", "code", "users", "made"))
    given = parser.parse_args()
    if given.part in (None, "images"):
        images(given.images)
    if given.part in (None, "code"):
        code(given.trials)
    if given.part in (None, "users"):
        users(min(given.trials, 50))
    if given.part in (None, "made"):
        made(given.images)


if __name__ == "__main__":
    main()
