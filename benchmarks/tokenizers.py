"""End to end: evalkit's tokenizer evaluation beside a per-image script of the VTBench shape, on the same pictures.

The script does what VTBench's pipeline does for each picture: encode, decode, save original and reconstruction as PNG;
then read both back and update torchmetrics' PSNR and SSIM. Both see the same folder and the same tokenizer. The share of
time that evalkit spends outside encode and decode is reported too.

    python benchmarks/tokenizers.py [--model jpeg-q75] [--weights FILE] [--pictures 200] [--repeats 3]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
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
from evalkit.images.geometry import fit_square  # noqa: E402
from evalkit.probes.reconstruction import evaluate_tokenizer  # noqa: E402
from evalkit.runs.job import RunOptions  # noqa: E402
from evalkit.tokenizers.base import Tokenizer  # noqa: E402
from evalkit.tokenizers.registry import TOKENIZERS, load_tokenizer  # noqa: E402


def make(folder: Path, count: int) -> None:
    """Pictures of 320 px with structure and noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (10, 10, 3), dtype=np.uint8))
        picture = np.asarray(small.resize((320, 320), Image.Resampling.BICUBIC)) + rng.normal(0, 4, (320, 320, 3))
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=92)


def vtbench_shape(model: Tokenizer, folder: Path, out: Path) -> None:
    """One picture at a time through PNG files, then torchmetrics."""
    files = sorted(folder.glob("*.jpg"))
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


def bare_model(model: Tokenizer, folder: Path) -> None:
    """Nothing but reading, preparing, encoding and decoding, in batches of 8."""
    images = open_images(folder)
    batch: list[torch.Tensor] = []
    for sample in images.read(0, len(images)):
        square = fit_square(sample.image, model.native_size, "short-bicubic")
        batch.append(torch.from_numpy(square.copy()).permute(2, 0, 1).float() / 255)
        if len(batch) == 8:
            model.decode(model.encode(torch.stack(batch)))
            batch = []
    if batch:
        model.decode(model.encode(torch.stack(batch)))


def random_weights(name: str, folder: Path) -> Path:
    """A checkpoint of random weights under the official names."""
    entry = TOKENIZERS.get(name)
    torch.manual_seed(0)
    state = entry.cls.build(entry.config).state_dict()
    for key in entry.cls.wrapping[:1]:
        state = {key: state}
    torch.save(state, folder / "random.pt")
    return folder / "random.pt"


def main() -> None:
    """Measure and write speed/results/tokenizers-<model>.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="jpeg-q75")
    parser.add_argument("--weights")
    parser.add_argument(
        "--random", action="store_true", help="random weights in the official wrapping; speed is the same"
    )
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.random:
        options.weights = str(random_weights(options.model, Path(tempfile.mkdtemp())))
    model = load_tokenizer(options.model, options.weights, device="cpu")
    seconds: dict[str, list[float]] = {"evalkit": [], "VTBench-shaped script": [], "bare model": []}
    outside, rates = [], []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        make(root / "in", options.pictures)
        for repeat in range(options.repeats):
            weights = (options.weights,) if options.weights else ()
            run_options = RunOptions(out=root / f"run{repeat}", keep="none", device="cpu", weights=weights)
            started = time.perf_counter()
            (run,) = evaluate_tokenizer(
                options.model, root / "in", tasks=["reconstruction", "codes"], options=run_options
            )
            seconds["evalkit"].append(time.perf_counter() - started)
            stages = run.record["timings"]["seconds"]
            rates.append({stage: options.pictures / stages[stage] for stage in ("encode", "decode", "pixel metrics")})
            outside.append(1 - (stages["encode"] + stages["decode"]) / run.record["timings"]["wall_seconds"])
            (root / f"png{repeat}").mkdir()
            started = time.perf_counter()
            vtbench_shape(model, root / "in", root / f"png{repeat}")
            seconds["VTBench-shaped script"].append(time.perf_counter() - started)
            started = time.perf_counter()
            bare_model(model, root / "in")
            seconds["bare model"].append(time.perf_counter() - started)
    rows = [{"model": options.model, **row} for row in summary(seconds, "evalkit", options.pictures)]
    stages_of_ours = {
        f"{stage.replace(' ', '_')}_per_second": round(statistics.median(each[stage] for each in rates), 1)
        for stage in rates[0]
    }
    for row in rows:
        row.update(stages_of_ours if row["candidate"] == "evalkit" else dict.fromkeys(stages_of_ours))
        row["images_per_second"] = round(1e3 / row["median_ms"], 1)
        row["share_outside_model"] = (
            round(sorted(outside)[len(outside) // 2], 3) if row["candidate"] == "evalkit" else None
        )
    write(f"tokenizers-{options.model}", rows)


if __name__ == "__main__":
    main()
