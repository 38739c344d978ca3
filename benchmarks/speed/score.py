"""CPU seconds of FID, IS, KID and precision to coverage of images of 256 px in one pass, beside torch-fidelity and clean-fid.

Every candidate works in turn on the same PNG files with the same random weights, in a process of its own with two threads
(sleeping, not spinning, while they wait: the peers gain most by that on a busy machine). Two sizes are measured, of 24
images or more, from which on a page shows no further images; the difference gives the cost of an image without that of
the algebra, which score_algebra.py measures at 5,000 and 50,000.
clean-fid has FID and KID and reads both folders for each; it is given the same network in PyTorch instead of its own file,
and its matrix square root is left out, as are torch-fidelity's eigenvalues (16 s of CPU, for any number of images; see
score_algebra.py). evalkit does all of it, and a page; under its protocol `clean` it takes FID and KID from one pass.

python benchmarks/speed/score.py [--small 24] [--large 96] [--rounds 3]
peers: pip install torch-fidelity clean-fid. A measurement that was stopped goes on where it stopped; delete
results/score-rounds.csv for a fresh one.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, read, write
from PIL import Image

ROUNDS = "score-rounds"
WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"
SIDE = 256


def make(folder: Path, count: int, seed: int) -> None:
    """`count` PNG files: noise on three scales."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = np.zeros((SIDE, SIDE, 3))
        for cell in (64, 16, 4):
            pixels += rng.normal(110 / 3, 20, (SIDE // cell, SIDE // cell, 3)).repeat(cell, 0).repeat(cell, 1)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number:05d}.png", compress_level=1)


def make_weights(path: Path) -> None:
    """A file of random weights under which features differ from image to image."""
    import torch

    from evalkit.encoders.features.inception import FidInception

    torch.manual_seed(0)
    network = FidInception()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.save(network.state_dict(), path)


def ours(root: Path, size: int, metrics: str, protocol: str) -> float:
    """A whole run, from files to a sealed folder with a page."""
    import evalkit
    from evalkit.jobs.options import RunOptions

    out = root / f"run-{protocol}-{size}-{os.getpid()}"
    options = RunOptions(out=out, device="cpu", weights=(f"inception-v3-fid={root / WEIGHTS}",))
    sets = root / f"made-{size}", root / f"real-{size}"
    run = evalkit.score(*sets, metrics=metrics.split(","), protocol=protocol, cache=False, options=options)
    return float(run.results[0]["value"])


def torch_fidelity(root: Path, size: int) -> float:
    """Its features of both folders at its own batch size, IS, KID and precision; its eigenvalues for FID are left out."""
    from torch_fidelity import calculate_metrics

    found = calculate_metrics(
        input1=str(root / f"made-{size}"),
        input2=str(root / f"real-{size}"),
        feature_extractor="inception-v3-compat",
        feature_layer_prc="2048",
        feature_extractor_weights_path=str(root / WEIGHTS),
        isc=True,
        fid=False,
        kid=True,
        prc=True,
        cuda=False,
        cache=False,
        verbose=False,
        kid_subset_size=size // 2,
        isc_splits=2,
    )
    return float(found["kernel_inception_distance_mean"])


def clean_fid(root: Path, size: int) -> float:
    """The features of both folders, once for FID and once for KID, and KID; its matrix square root is left out."""
    import torch
    from cleanfid import fid

    from evalkit.encoders.features.inception import FidInception

    network = FidInception().eval()
    network.load_state_dict(torch.load(root / WEIGHTS))

    @torch.no_grad()
    def features(x: Any) -> Any:
        return network((x - 128) / 128)["2048"]

    more = {"mode": "clean", "num_workers": 0, "device": torch.device("cpu"), "verbose": False, "batch_size": 32}
    folders = [str(root / f"{side}-{size}") for side in ("made", "real")]
    for _ in ("FID", "KID"):
        found = [fid.get_folder_features(folder, features, **more) for folder in folders]
    return float(fid.kernel_distance(*found))


FOUR, TWO = "FID, IS, KID, PRDC", "FID, KID, protocol clean"
WORK: dict[tuple[str, str], Callable[[Path, int], float]] = {
    (FOUR, "evalkit"): lambda root, size: ours(root, size, "fid,is,kid,prdc", "evalkit-1"),
    (FOUR, "torch-fidelity"): torch_fidelity,
    (TWO, "evalkit"): lambda root, size: ours(root, size, "fid,kid", "clean"),
    (TWO, "clean-fid"): clean_fid,
}


def step(work: str, candidate: str, root: Path, size: int) -> None:
    """Run one candidate once and print what it took; packages are loaded before."""
    import torch

    import evalkit.tasks.score

    del evalkit
    torch.set_num_threads(2)
    if candidate != "evalkit":
        importlib.import_module({"torch-fidelity": "torch_fidelity", "clean-fid": "cleanfid.fid"}[candidate])
    wall, cpu = time.perf_counter(), cpu_seconds()
    value = WORK[work, candidate](root, size)
    print(json.dumps({"value": value, "wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}))


def cpu_seconds() -> float:
    """Of this process, its threads, and the processes that it started and saw end."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def took(work: str, candidate: str, root: Path, size: int) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, __file__, "--step", f"{work}|{candidate}", "--root", str(root), "--small", str(size)]
    calm = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **calm})
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def rounds_of(work: str, sizes: tuple[int, int]) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Finished rounds of this machine at these sizes, by round and candidate: what the small and the large run took."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for row in read(ROUNDS):
        if (row["machine"], row["work"], row["sizes"]) == (machine(), work, said(sizes)):
            pair = [{clock: float(row[f"{clock}_{at}"]) for clock in ("cpu", "wall")} for at in (0, 1)]
            pair[1] |= {"value": float(row["value"]), "load": float(row["load"])}
            found.setdefault(row["round"], {})[row["candidate"]] = pair
    return found


def said(sizes: tuple[int, int]) -> str:
    """Both sizes in one word."""
    return "-".join(map(str, sizes))


def measure(work: str, candidates: list[str], root: Path, sizes: tuple[int, int], rounds: int) -> None:
    """Every candidate in turn in every round that is not finished; each is written when it is done."""
    for number in map(str, range(rounds)):
        for name in candidates:
            if name in rounds_of(work, sizes).get(number, {}):
                continue
            small, large = (took(work, name, root, size) for size in sizes)
            clocks = {
                f"{clock}_{at}": each[clock] for at, each in enumerate((small, large)) for clock in ("cpu", "wall")
            }
            row = {"work": work, "sizes": said(sizes), "round": number, "candidate": name, **clocks}
            row |= {"value": large["value"], "load": round(os.getloadavg()[0], 1)}
            write(ROUNDS, [*read(ROUNDS), row])


def rows_of(work: str, sizes: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """A row for each candidate: cost of an image, and the ratio to evalkit in every whole round."""
    images = 2 * (sizes[1] - sizes[0])
    rounds = [each for each in rounds_of(work, sizes).values() if each.keys() >= {n for w, n in WORK if w == work}]

    def rates(name: str, clock: str) -> list[float]:
        return [(each[name][1][clock] - each[name][0][clock]) / images * 1e3 for each in rounds]

    for candidate in (name for group, name in WORK if group == work and rounds):
        cpu, wall = rates(candidate, "cpu"), rates(candidate, "wall")
        ratios = [one / other for one, other in zip(cpu, rates("evalkit", "cpu"), strict=True)]
        last = [each[candidate][1] for each in rounds]
        yield {
            "work": f"{work}, an image of {SIDE} px",
            "candidate": candidate,
            "median_ms": round(statistics.median(cpu), 1),
            "min_ms": round(min(cpu), 1),
            "max_ms": round(max(cpu), 1),
            "wall_ms": round(statistics.median(wall), 1),
            "total_cpu_s": round(statistics.median(each["cpu"] for each in last), 1),
            "images": f"2 x {sizes[1]}",
            "rounds": len(rounds),
            "times_ours": round(statistics.median(ratios), 2),
            "times_ours_low": round(min(ratios), 2),
            "times_ours_high": round(max(ratios), 2),
            "value": round(last[-1]["value"], 6),
            "load": round(statistics.median(each["load"] for each in last), 1),
        }


def main() -> None:
    """Measure in turn; finished rounds in results/score-rounds.csv are kept, and results/score.csv sums them up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=24)
    parser.add_argument("--large", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step")
    parser.add_argument("--root", type=Path)
    given = parser.parse_args()
    if given.step:
        work, candidate = given.step.split("|")
        step(work, candidate, given.root, given.small)
        return
    modules = {"torch-fidelity": "torch_fidelity", "clean-fid": "cleanfid"}
    for name in [name for name, module in modules.items() if importlib.util.find_spec(module) is None]:
        raise SystemExit(f"{name} is not installed. Type: pip install {name}")
    sizes = given.small, given.large
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_weights(root / WEIGHTS)
        for size in sizes:
            make(root / f"made-{size}", size, 1)
            make(root / f"real-{size}", size, 2)
        for work in (FOUR, TWO):
            measure(work, [name for group, name in WORK if group == work], root, sizes, given.rounds)
            others = [row for row in read("score") if not row["work"].startswith(work)]
            write("score", [*others, *rows_of(work, sizes)])


if __name__ == "__main__":
    main()
