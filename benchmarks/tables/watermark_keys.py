"""How much the false positives of `places` differ from key to key on images that are alike, and whether marks do.

Unmarked images of `world-ar`: for each of many keys the share that the exact p calls, then mean, worst key, and share of
keys above five times nominal. For the first keys the same images are marked by pixels (36 dB, at most four grey levels).
The share that is found is `found_mean`.
Captions and keys are others than those of watermark_world.py.

Run: python benchmarks/tables/watermark_keys.py [--images 60] [--keys 1500] [--marked 5]
(writes benchmarks/tables/watermark-keys.csv)
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from watermark_world import World, write

from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.world.prompts import world_prompts

SPEC = MarkSpec("places", gamma=0.5)
LEVELS = (0.05, 0.01, 0.001)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--keys", type=int, default=1500)
    parser.add_argument("--marked", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(asked.images, Path(folder))
        world.prompts = world_prompts()[300 : 300 + asked.images]
        plain, _ = world.images("unmarked", 11)
        null, called, found = world.codes(plain), [], []
        for number in range(asked.keys):
            mark = mark_for(SPEC, Key((1000 + number).to_bytes(32, "big")), world.tokenizer)
            log_p = mark.score(null).log_p
            called.append([float((log_p <= np.log(level)).mean()) for level in LEVELS])
            if number < asked.marked:
                images, _ = world.nudged(f"marked-{number}", plain, mark, Nudge(levels=4, psnr=36))
                again = mark.score(world.codes(images)).log_p
                found.append([float((again <= np.log(level)).mean()) for level in LEVELS])
    rates, hits = np.array(called), np.array(found)
    write(
        "watermark-keys",
        [
            {
                "level": level, "images": asked.images, "keys": asked.keys, "called_mean": float(rates[:, i].mean()),
                "standard_error": float(rates[:, i].std(ddof=1) / np.sqrt(asked.keys)),
                "called_worst_key": float(rates[:, i].max()),
                "keys_above_five_times": float((rates[:, i] > 5 * level).mean()),
                "marked_keys": asked.marked, "found_mean": float(hits[:, i].mean()), "found_worst_key": float(hits[:, i].min()),
            }
            for i, level in enumerate(LEVELS)
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
