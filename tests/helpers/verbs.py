"""Every verb that writes, on inputs so small that hundreds of its runs fit a test: what to type, and what it leaves."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Arguments = Callable[[Path, Path], list[str]]
CHANGING = ("record.json", "report.html", "attestation.json", "index.html", "leaderboard.json", "manifest.jsonl")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said on standard error."""

    code: int
    said: str


def call(arguments: list[str], stdout: io.StringIO | None = None) -> Done:
    """`evalkit ARGUMENTS` in this process, through its own boundary; a traceback is an exception here."""
    from evalkit.cli import main

    said, before, handler = io.StringIO(), sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["evalkit", *arguments]
    try:
        with contextlib.redirect_stdout(stdout or io.StringIO()), contextlib.redirect_stderr(said):
            main()
    except SystemExit as end:
        return Done(int(end.code or 0), said.getvalue())
    finally:
        sys.argv = before
        signal.signal(signal.SIGTERM, handler)
    return Done(0, said.getvalue())


def call_beside(arguments: list[str], answer: Any, both: Any) -> None:
    """`call` in a process of its own, begun when `both` are there; the code and the words go to `answer`."""
    both.wait(60)
    done = call(arguments)
    answer.put((done.code, done.said))


def photos(folder: Path, n: int = 3) -> Path:
    """Small PNG files of coloured blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        blocks = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(folder / f"{i}.png")
    return folder


def prepared(place: Path) -> Path:
    """A folder with images, keys, a sealed run and a signed one."""
    photos(place / "data")
    worlds(place / "made")
    for arguments in (
        ["watermark", "keygen", str(place / "my.key")],
        ["sign", "--new-key", str(place / "my.pem")],
        ["tokenizer", "-m", "jpeg-lm", *TOKENIZER, "--data", str(place / "data"), "--out", str(place / "one")],
        RUNS["generate"](place, place / "images"),
        ["tokenizer", "-m", "webp-q75", *TOKENIZER, "--data", str(place / "data"), "--out", str(place / "two")],
    ):
        done = call(arguments)
        if done.code:
            raise RuntimeError(f"{arguments}: {done.said}")
    return place


def worlds(folder: Path) -> None:
    """The first scenes of the world's prompts, as a generator left them."""
    from evalkit.world.prompts import world_prompts
    from evalkit.world.render import render_scene

    folder.mkdir()
    for prompt in world_prompts()[:2]:
        Image.fromarray(render_scene(prompt.scene)).save(folder / f"{prompt.id}-00.png")


TOKENIZER = ["--tasks", "reconstruction", "--device", "cpu"]
MARK = ["--tokenizer", "world-vq", "--device", "cpu"]


def _key(place: Path) -> list[str]:
    return ["--key", str(place / "my.key"), *MARK]


RUNS: dict[str, Arguments] = {
    "tokenizer": lambda p, out: ["tokenizer", "-m", "jpeg-lm", *TOKENIZER, "--data", f"{p}/data", "--out", f"{out}"],
    "generate": lambda p, out: [
        *("generate", "-m", f"folder:{p}/made", "-p", "world", "--limit", "2", "--out", f"{out}"),
    ],
    "score": lambda p, out: [
        *(
            "score",
            "--images",
            f"{p}/data",
            "--reference",
            f"{p}/data",
            "--metrics",
            "prdc_efflite0",
            "--device",
            "cpu",
        ),
        *("--out", f"{out}"),
    ],
    "probe": lambda p, out: [
        "probe",
        "world",
        "--images",
        f"{p}/images",
        "--limit",
        "2",
        "--device",
        "cpu",
        "--out",
        f"{out}",
    ],
    "embed": lambda p, out: ["watermark", "embed", f"{p}/data", *_key(p), "--out", f"{out}"],
    "detect": lambda p, out: ["watermark", "detect", f"{p}/data", *_key(p), "--no-cache", "--out", f"{out}"],
    "calibrate": lambda p, out: [
        "watermark",
        "calibrate",
        f"{p}/data",
        *_key(p),
        "--no-cache",
        "--out",
        f"{out}/c.npz",
    ],
    "attack": lambda p, out: ["watermark", "attack", f"{p}/data", "--attack", "jpeg:75", "--out", f"{out}"],
    "robustness": lambda p, out: [
        *("watermark", "robustness", f"{p}/data", *_key(p), "--attack", "jpeg:75", "--out", f"{out}"),
    ],
}
PAGES: dict[str, Arguments] = {
    "leaderboard": lambda p, out: ["leaderboard", f"{p}/one", f"{p}/two", "--out", f"{out}"],
    "report": lambda p, out: ["report", f"{p}/one", "--out", f"{out}"],
    "view": lambda p, out: ["view", f"{p}/one", "--out", f"{out}", "--no-open"],
    "query": lambda p, out: ["query", "select id, psnr from samples", "--runs", f"{p}/one", "--csv"],
    "sign": lambda p, out: ["sign", f"{out}", "--key", f"{p}/my.pem"],
    "new key": lambda p, out: ["sign", "--new-key", f"{out}/new.pem"],
    "keygen": lambda p, out: ["watermark", "keygen", f"{out}/new.key"],
    "verify": lambda p, out: ["verify", f"{p}/one"],
}


def files(folder: Path) -> dict[str, bytes]:
    """What a command left, by path, without what says when and how long."""
    found = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
    return {name: file.read_bytes() for name, file in found.items() if os.path.basename(name) not in CHANGING}
