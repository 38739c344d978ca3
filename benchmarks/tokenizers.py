"""End to end: evalkit's tokenizer evaluation beside a per-image script of the VTBench shape, on the same images.

The script does what VTBench's pipeline does for each image: encode, decode, save original and reconstruction as PNG;
then read both back and update torchmetrics' PSNR and SSIM. Both see the same folder and the same tokenizer. For codecs a
loop of two threads over evalkit's own functions stands beside them: what a run adds to it are digests, records and a
page. The share of time that evalkit spends outside encode and decode is reported too.

With --before, a checkout of an earlier evalkit, the same command line of both stands beside them, start-up included.

    python benchmarks/tokenizers.py [--model jpeg-q75] [--weights FILE] [--images 1000] [--side 320] [--repeats 3]
    python benchmarks/tokenizers.py --side 1024 --images 200 --before CHECKOUT
    python benchmarks/tokenizers.py --side 256 --repeats 5 --without-script
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# this file's name is that of a package that torchmetrics imports, so its folder must not be searched first
HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE / "speed"), *(p for p in sys.path if Path(p).resolve() != HERE)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from common import summary, write  # noqa: E402
from PIL import Image  # noqa: E402
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure  # noqa: E402

from evalkit.images import open_images  # noqa: E402
from evalkit.images.decode import decode_image  # noqa: E402
from evalkit.images.geometry import fit_square  # noqa: E402
from evalkit.jobs.options import RunOptions  # noqa: E402
from evalkit.metrics.metric import Pair  # noqa: E402
from evalkit.metrics.psnr import error_columns  # noqa: E402
from evalkit.metrics.ssim import similarity_columns  # noqa: E402
from evalkit.protocols import load_protocol  # noqa: E402
from evalkit.tasks.tokenizer import evaluate_tokenizer  # noqa: E402
from evalkit.tokenizers.base import PixelTokenizer, Tokenizer  # noqa: E402
from evalkit.tokenizers.registry import TOKENIZERS, load_tokenizer  # noqa: E402

SIDE = 320  # px of the images that are read, unless --side says otherwise
LOOP, SCRIPT, BARE = "two-thread loop", "VTBench-shaped script", "bare model"
COMMAND, BEFORE = "evalkit tokenizer", "evalkit tokenizer of before"
CANDIDATES = ("evalkit", LOOP, BARE, COMMAND, BEFORE, SCRIPT)
STAGES = ("encode", "decode", "pixel metrics")


def make(folder: Path, count: int, side: int = SIDE) -> None:
    """Square images with structure and noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (10, 10, 3), dtype=np.uint8))
        drawn = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)) + rng.normal(0, 4, (side, side, 3))
        Image.fromarray(np.clip(drawn, 0, 255).astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=92)


def vtbench_shape(model: Tokenizer, folder: Path, out: Path, most: int) -> int:
    """One image at a time through PNG files, then torchmetrics; of the first `most` images, whose number it returns."""
    files = sorted(folder.glob("*.jpg"))[:most]
    for file in files:
        square = fit_square(np.asarray(Image.open(file).convert("RGB")), model.native_size, "cover-lanczos")
        x = torch.from_numpy(square.copy()).permute(2, 0, 1)[None].float() / 255
        y = model.decode(model.encode(x))[0].clamp(0, 1)
        for name, pixels in (("original", x[0]), ("reconstruction", y)):
            array = (pixels * 255).to(torch.uint8).permute(1, 2, 0).numpy()
            Image.fromarray(array).save(out / f"{file.stem}-{name}.png")
    psnr, ssim = PeakSignalNoiseRatio(data_range=1.0), StructuralSimilarityIndexMeasure(data_range=1.0)
    for file in files:
        pair = [np.asarray(Image.open(out / f"{file.stem}-{name}.png")) for name in ("reconstruction", "original")]
        rec, orig = (torch.from_numpy(v.copy()).permute(2, 0, 1)[None].float() / 255 for v in pair)
        psnr.update(rec, orig)
        ssim.update(rec, orig)
    print(f"  script: PSNR {float(psnr.compute()):.2f}, SSIM {float(ssim.compute()):.4f}")
    return len(files)


def two_threads(model: PixelTokenizer, folder: Path) -> None:
    """Each image read, prepared, encoded, decoded and scored by evalkit's functions, and nothing else."""
    protocol = load_protocol("evalkit-1")

    def score(file: Path) -> dict[str, float]:
        fed = fit_square(decode_image(file.read_bytes()), model.native_size, "short-bicubic")
        pair = Pair(fed, model.to_image(model.to_bytes(fed)), protocol)
        return {**error_columns(pair), **similarity_columns(pair)}

    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(score, sorted(folder.glob("*.jpg"))))
    print(f"  loop: PSNR {statistics.fmean(row['psnr'] for row in rows):.2f}")


def bare_model(model: Tokenizer, folder: Path, size: int) -> None:
    """Nothing but reading, preparing, encoding and decoding, in batches of `size`."""
    images = open_images(folder)
    batch: list[torch.Tensor] = []
    for sample in images.read(0, len(images)):
        square = fit_square(sample.image, model.native_size, "short-bicubic")
        batch.append(torch.from_numpy(square.copy()).permute(2, 0, 1).float() / 255)
        if len(batch) == size:
            model.decode(model.encode(torch.stack(batch)))
            batch = []
    if batch:
        model.decode(model.encode(torch.stack(batch)))


def command(checkout: Path, options: argparse.Namespace, root: Path, out: Path) -> dict[str, float]:
    """Seconds and CPU seconds of the command line of a checkout."""
    words = [
        sys.executable,
        str(checkout / "cli.py"),
        "tokenizer",
        "--model",
        options.model,
        "--data",
        str(root / "in"),
    ]
    words += ["--tasks", "reconstruction,codes", "--keep", "none", "--device", "cpu", "--out", str(out)]
    words += ["--weights", options.weights] if options.weights else []
    started = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(checkout)})
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": time.perf_counter() - started, "cpu": used.ru_utime + used.ru_stime}


def random_weights(name: str, folder: Path) -> Path:
    """A checkpoint of random weights under the official names."""
    entry = TOKENIZERS.get(name)
    torch.manual_seed(0)
    state = entry.cls.build(entry.config).state_dict()
    for key in entry.cls.wrapping[:1]:
        state = {key: state}
    torch.save(state, folder / "random.pt")
    return folder / "random.pt"


def once(candidate: str, options: argparse.Namespace, root: Path) -> dict[str, float]:
    """Seconds and CPU seconds of one candidate over the images, loading the model included; evalkit's stages as well."""
    out = root / f"{candidate.replace(' ', '-')}-{time.time_ns()}"
    if candidate in (COMMAND, BEFORE):
        return command(HERE.parent if candidate == COMMAND else options.before.absolute(), options, root, out)
    started, used = time.perf_counter(), time.process_time()
    if candidate == "evalkit":
        weights = (options.weights,) if options.weights else ()
        run_options = RunOptions(out=out, keep="none", device="cpu", weights=weights)
        (run,) = evaluate_tokenizer(options.model, root / "in", tasks=["reconstruction", "codes"], options=run_options)
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        stages = run.record["timings"]["seconds"]
        outside = 1 - (stages["encode"] + stages["decode"]) / run.record["timings"]["wall_seconds"]
        return {"seconds": seconds, "cpu": cpu, "outside": outside, **{stage: stages[stage] for stage in STAGES}}
    model = load_tokenizer(options.model, options.weights, device="cpu")
    scale = 1.0
    if candidate == BARE:
        bare_model(model, root / "in", options.bare_batch)
    elif candidate == LOOP:
        if isinstance(model, PixelTokenizer):
            two_threads(model, root / "in")
    else:
        out.mkdir()
        scale = options.images / vtbench_shape(model, root / "in", out, options.script_images)
    return {"seconds": scale * (time.perf_counter() - started), "cpu": scale * (time.process_time() - used)}


def measure(candidate: str, root: Path) -> dict[str, float]:
    """`once` in a process of its own, so that no candidate finds the memory that another has warmed.

    Compiled modules are kept, as where a package is installed, also where PYTHONDONTWRITEBYTECODE is set.
    """
    command = [sys.executable, __file__, *sys.argv[1:], "--only", candidate, "--root", str(root)]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and write speed/results/tokenizers-<model>.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="jpeg-q75")
    parser.add_argument("--weights")
    parser.add_argument(
        "--random", action="store_true", help="random weights in the official wrapping; speed is the same"
    )
    parser.add_argument("--bare-batch", type=int, default=1, help="batch size of the bare model; 1 is fastest on a CPU")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--side", type=int, default=SIDE, help="of the images, in pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--script-repeats", type=int, default=1, help="of the VTBench-shaped script, which is slow")
    parser.add_argument(
        "--script-images", type=int, default=1000, help="that the script sees; its time is scaled to all of them"
    )
    parser.add_argument("--without-script", action="store_true", help="leave the VTBench-shaped script out")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="an earlier evalkit")
    parser.add_argument("--only", choices=CANDIDATES, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.only:
        if options.random:
            options.weights = str(options.root / "random.pt")
        print(json.dumps(once(options.only, options, options.root)))
        return
    codec = TOKENIZERS.get(options.model).weights is None
    left_out = {BARE if codec else LOOP}
    left_out |= {COMMAND, BEFORE} if options.before is None else set()
    left_out |= {SCRIPT} if options.without_script else set()
    taking_turns = [each for each in CANDIDATES if each not in left_out]
    found: dict[str, list[dict[str, float]]] = {candidate: [] for candidate in taking_turns}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        make(root / "in", options.images, options.side)
        if options.random:
            random_weights(options.model, root)
        for turn in range(options.repeats):
            for candidate in taking_turns:
                if candidate != SCRIPT or turn >= options.repeats - options.script_repeats:
                    found[candidate].append(measure(candidate, root))
    found = {candidate: runs for candidate, runs in found.items() if runs}
    seconds = {candidate: [each["seconds"] for each in runs] for candidate, runs in found.items()}
    ours = found["evalkit"]
    work = f"{options.model}, {options.side} px files"
    rows = [{"work": work, "model": options.model, **row} for row in summary(seconds, "evalkit", options.images)]
    for row in rows:
        is_ours = row["candidate"] == "evalkit"
        for stage in STAGES:
            rate = options.images / statistics.median(each[stage] for each in ours)
            row[f"{stage.replace(' ', '_')}_per_second"] = round(rate, 1) if is_ours else None
        cpu = statistics.median(each["cpu"] for each in found[row["candidate"]])
        row["median_cpu_ms"] = round(cpu / options.images * 1e3, 3)
        row["images_per_second"] = round(1e3 / row["median_ms"], 1)
        row["share_outside_model"] = round(statistics.median(each["outside"] for each in ours), 3) if is_ours else None
    write(f"tokenizers-{options.model}{'' if options.side == SIDE else f'-{options.side}px'}", rows)


if __name__ == "__main__":
    main()
