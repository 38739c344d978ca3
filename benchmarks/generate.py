"""Images per second of `evalkit generate`, on its whole path, beside the shape of LlamaGen's own sampler, in turn.

The same network, weights, guidance and requests, and the same codes come out (greedy):
  evalkit generate   what the command calls: rows, codes, decoding, PNG files, hashes, a sealed run
  official loop      batches over the whole cache with both branches to the end, decoded at once, PNG files by Pillow
On a GPU each row also says what share of the bandwidth bound is reached: a step must read every weight of the blocks and
the head once, and the keys and values so far; the bound is those bytes over the bandwidth that copying a large tensor
shows. A CPU's caches hold weights and keys in part, so no bound is stated there. `--world` compares 16 rows on one thread
with 64 rows on two for the shipped model, and checks that their files are the same.

    python benchmarks/generate.py --size b --grid 8 --rows 1,8 --images 8
    python benchmarks/generate.py --device cuda --dtype bfloat16 --size xl --grid 16 --rows 1,8,32,64,128 --images 128
    python benchmarks/generate.py --world --images 64
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "speed"))

import torch
from common import in_turn, summary, write
from PIL import Image
from torch import Tensor

from evalkit.generators.base import Generator, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nets.decoder import Decoder, Decoding
from evalkit.generators.nets.llama import SIZES
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import Source, load_generator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.options import RunOptions
from evalkit.prompts.load import load_prompts
from evalkit.runs.store import Run
from evalkit.tasks.generate import generate_images
from evalkit.tokenizers.llamagen import VQ16
from evalkit.tokenizers.llamagen import LlamaGen as Tokenizer

SCALE = 2.0


def random_model(args: argparse.Namespace, device: torch.device) -> LlamaGen:
    """LlamaGen of a size with weights of a seed, and its tokenizer with others."""
    torch.manual_seed(0)
    config = LlamaGenConfig(*SIZES[args.size], SCALE, grid=args.grid)
    network = LlamaGen.build(config)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.05)
    source = Source(
        f"llamagen-{args.size}", config, None, "llamagen-vq16", None, None, device, getattr(torch, args.dtype)
    )
    model = LlamaGen(source, network)
    model._tokenizer = Tokenizer("llamagen-vq16", VQ16, Tokenizer.build(VQ16).eval().to(device), device, torch.float32)
    model.default_sampler = Sampler(Guidance("llamagen", SCALE), top_k=1)
    return model


def ours(model: Generator, prompts: str, rows: int, threads: int | None = None) -> Run:
    """One run of `evalkit generate` in a folder of its own."""
    if threads is not None:
        torch.set_num_threads(threads)
    out = Path(tempfile.mkdtemp(prefix="evalkit-benchmark-")) / "run"
    return generate_images(model, prompts, options=RunOptions(out=out, device=str(model.device), batch_size=rows))


def official(model: LlamaGen, count: int, rows: int) -> Tensor:
    """Codes [count, N] of the classes 0, 1, …, with their PNG files written."""
    folder, found = Path(tempfile.mkdtemp(prefix="evalkit-benchmark-")), []
    with torch.inference_mode():
        for start in range(0, count, rows):
            classes = torch.arange(start, min(start + rows, count), device=model.device)
            codes = whole_cache(model.network, classes, model.tokens_per_image)
            decoded = model._decode(codes, (), (model.config.grid, model.config.grid))
            for number, pixels in enumerate(to_uint8(decoded, "llamagen"), start):
                Image.fromarray(pixels).save(folder / f"{number:06d}.png")
            found.append(codes.cpu())
    return torch.cat(found)


def whole_cache(network: Decoder, classes: Tensor, count: int) -> Tensor:
    """Greedy codes [B, count] where every step reads the whole allocation and both branches run to the end."""
    rows = len(classes)
    decoding = Decoding(network, torch.cat([classes, network.null(classes)]), count)
    length, logits = len(decoding.cache.places), decoding.first()
    codes: list[Tensor] = []
    for index in range(count):
        if index:
            both = torch.cat([codes[-1], codes[-1]])[:, None]
            logits = decoding.step(both, decoding.cache.places[index : index + 1], length)[:, 0]
        codes.append(Guidance("llamagen", SCALE).combine(logits[:rows], logits[rows:], 0.0).argmax(-1))
    return torch.stack(codes, 1)


def bandwidth(device: torch.device, size: int = 2**31) -> float:
    """Bytes a second that the device moves when it copies `size` bytes (each is read once and written once)."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(5):
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize(device)
        best = max(best, 2 * size / (time.perf_counter() - started))
    return best


def bytes_a_batch(network: Decoder, rows: int, tokens: int) -> float:
    """Bytes that the steps of `rows` images must read: weights but for the embeddings, keys and values of both branches."""
    weights = sum(p.numel() * p.element_size() for n, p in network.named_parameters() if "embed" not in n)
    cell = 2 * len(network.layers) * network.heads * network.head * network.tok_embeddings.weight.element_size()
    return float(tokens * weights + cell * 2 * rows * tokens * (tokens + 1) / 2)


def llamagen(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Both candidates for every number of rows."""
    device = torch.device(args.device)
    model, table = random_model(args, device), list[dict[str, Any]]()
    speed = bandwidth(device) if device.type == "cuda" else None
    for rows in (int(each) for each in args.rows.split(",")):
        work: dict[str, Callable[[], Any]] = {
            "evalkit generate": partial(ours, model, f"classes:imagenet:0-{args.images - 1}", rows),
            "official loop": partial(official, model, args.images, rows),
        }
        model.rows = rows
        requests = [Request(str(i), class_id=i) for i in range(args.images)]
        same = (model.sample_tokens(requests) == official(model, args.images, rows)).double().mean()
        seconds = in_turn(work, args.repeats)
        batches = -(-args.images // rows)
        for row in summary(seconds, "evalkit generate", each=args.images):
            bound = speed and batches * bytes_a_batch(model.network, rows, model.tokens_per_image) / speed
            row["images_per_s"] = round(1e3 / row["median_ms"], 3)
            row["share_of_bound"] = round(bound / args.images * 1e3 / row["median_ms"], 3) if bound else ""
            row.update(
                same_codes=f"{float(same):.4f}",
                rows=rows,
                images=args.images,
                tokens=model.tokens_per_image,
                size=args.size,
                dtype=args.dtype,
            )
            row.update(device=torch.cuda.get_device_name(device) if speed else "cpu", threads=torch.get_num_threads())
            table.append(row)
    return table


def world(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The shipped model at 16 rows on one thread and at 64 rows on two; raises where a file differs."""
    model = load_generator("world-ar", device="cpu")
    captions = Path(tempfile.mkdtemp(prefix="evalkit-benchmark-")) / "captions.txt"
    captions.write_text("\n".join(p.prompt or "" for p in load_prompts("world").prompts[: args.images]))
    sizes = {"16 rows, 1 thread": (16, 1), "64 rows, 2 threads": (64, 2)}
    files: dict[str, list[str]] = {}

    def run(name: str) -> None:
        files[name] = ours(model, str(captions), *sizes[name]).samples["sha256"].to_pylist()

    seconds = in_turn({name: partial(run, name) for name in sizes}, args.repeats)
    if len({tuple(each) for each in files.values()}) != 1:
        raise SystemExit("the files differ between numbers of rows")
    table: list[dict[str, Any]] = summary(seconds, "64 rows, 2 threads", each=args.images)
    for row in table:
        row.update(images_per_s=round(1e3 / row["median_ms"], 3), images=args.images, device="cpu")
    return table


def main() -> None:
    """Measure and write results/generate-*.csv."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--size", choices=sorted(SIZES), default="b")
    options.add_argument("--grid", type=int, default=16, help="codes a side of the image")
    options.add_argument("--rows", default="1,8", help="numbers of rows, with commas between")
    options.add_argument("--images", type=int, default=8)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--device", default="cpu")
    options.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    options.add_argument("--world", action="store_true", help="the shipped model by rows and threads instead")
    args = options.parse_args()
    if args.world:
        write("generate-world-ar", world(args))
    else:
        write(f"generate-{args.size}-{args.grid}-{args.device}", llamagen(args))


if __name__ == "__main__":
    main()
