"""What `evalkit plan` says of runs of three sizes, beside those runs: wall and CPU seconds, memory, disk.

python benchmarks/speed/plan.py [--only codec,score] [--seconds 20]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import read, write
from PIL import Image

from evalkit.cli.plan import measured
from evalkit.images import open_images

SIDE = 256
COMMANDS = {  # name: words, {photos} and {made} being folders of images, and sizes
    "codec": ("tokenizer -m jpeg-q75 --data {photos} --tasks reconstruction,codes", (500, 1000, 2000)),
    "network": ("tokenizer -m world-vq --data {photos} --tasks reconstruction", (200, 400, 800)),
    "generate": ("generate -m world-ar -p world --samples 4", (200, 400, 800)),
    "score": ("score --images {photos} --reference {made} --metrics fd_efflite0,kid_efflite0", (50, 100, 200)),
    "probe": ("probe world --images {made} --allow-missing", (100, 200, 400)),
    "embed": ("watermark embed {photos} --tokenizer world-vq --key {key}", (200, 400, 800)),
    "detect": ("watermark detect {photos} --tokenizer world-vq --key {key}", (200, 400, 800)),
    "attack": ("watermark attack {photos} --attack jpeg:60 --attack noise:0.1", (200, 400, 800)),
}


def photos(folder: Path, count: int) -> None:
    """JPEG files, each another cut of the bundled photographs."""
    folder.mkdir()
    whole = [each.image for each in open_images("sample/photos").read(0, 100)]
    for number in range(count):
        image = whole[number % len(whole)]
        turn = number // len(whole)
        top, left = 3 * turn % (image.shape[0] - SIDE + 1), 7 * turn % (image.shape[1] - SIDE + 1)
        cut = image[top : top + SIDE, left : left + SIDE]
        Image.fromarray(cut).save(folder / f"{number:06d}.jpg", quality=90)


def evalkit(words: str, *, told: bool = False) -> str:
    """What a command says on stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", *words.split()], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def off(said: float, real: float) -> float:
    """By what share of the real value a forecast differs from it."""
    return round((said - real) / real, 3)


def compared(name: str, words: str, sizes: tuple[int, ...], seconds: int, folder: Path) -> list[dict[str, object]]:
    """One row for each size: the forecast and the run."""
    asked = " ".join(f"--size {n}" for n in sizes)
    said = json.loads(evalkit(f"plan --json --seconds {seconds} {asked} {words}"))
    rows = []
    for forecast in said["forecast"]:
        n = forecast["n"]
        real = measured(words.split(), n, folder / f"{name}-{n}")
        cpu = forecast["cpu_hours"] * 3600
        rows.append(
            {
                "command": name,
                "images": n,
                "pilots": "+".join(str(pilot["n"]) for pilot in said["pilots"]),
                "cpu_s": round(real.cpu, 1),
                "cpu_off": off(cpu, real.cpu),
                "wall_s": round(real.wall, 1),
                "wall_off": off(forecast["seconds"], real.wall),
                "memory_mb": round(real.memory / 1e6),
                "memory_off": off(forecast["memory"], real.memory),
                "disk_mb": round(real.disk / 1e6, 1),
                "disk_off": off(forecast["disk"], real.disk),
                "load": round(os.getloadavg()[0], 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, and write results/plan.csv command by command; rows of those that were not asked for stay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(COMMANDS))
    parser.add_argument("--seconds", type=int, default=20, help="of the longest pilot")
    given = parser.parse_args()
    names = given.only.split(",")
    kept = [row for row in read("plan") if row["command"] not in names]
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        places = {"photos": folder / "photos", "made": folder / "made", "key": folder / "secret.key"}
        photos(places["photos"], max(COMMANDS[name][1][-1] for name in names))
        evalkit(f"watermark keygen {places['key']}")
        if any("{made}" in COMMANDS[name][0] for name in names):
            evalkit(f"generate -m world-ar -p world --limit 400 --out {places['made']}")
        for name in names:
            words, sizes = COMMANDS[name]
            kept += compared(name, words.format(**places), sizes, given.seconds, folder)
            write("plan", kept)


if __name__ == "__main__":
    main()
