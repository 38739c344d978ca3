"""Tokens per second of LlamaGen's decoding: evalkit's loop beside the shapes that other samplers give it.

The same network, weights, guidance and requests everywhere, and the same codes come out:
  evalkit          a step reads the cached positions up to the next multiple of 32; what guidance needs no more is left out
  whole cache      a step reads the whole allocation under a mask, and the unconditional rows run on to the end (the
                   shape of LlamaGen's own sampler)
  no cache         the whole sequence runs again at every step

On a GPU each row also says what share of the bandwidth bound is reached: a step must read every weight of the blocks and
the head once, and the keys and values so far; the bound is those bytes over the bandwidth that copying a large tensor
shows. A CPU's caches hold weights and keys in part, so no bound is stated there.

    python benchmarks/generate.py [--tokens 64] [--requests 2] [--repeats 3] [--interval N]
    python benchmarks/generate.py --device cuda --dtype bfloat16 --size xl --tokens 256 --requests 64 --without-no-cache
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "speed"))

import torch
from common import in_turn, summary, write
from torch import Tensor

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nets.decoder import Decoder, Decoding
from evalkit.generators.nets.llama import SIZES
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler


def whole_cache(network: Decoder, conditions: Tensor, count: int) -> Callable[[Tensor], Tensor]:
    """A step that reads the whole allocation, as LlamaGen's does: codes so far [B, n] -> logits [B, V]."""
    decoding = Decoding(network, conditions, count)
    length = len(decoding.cache.places)

    def step(codes: Tensor) -> Tensor:
        if not codes.shape[1]:
            return decoding.first()
        at = decoding.cache.places[codes.shape[1] : codes.shape[1] + 1]
        return decoding.step(codes[:, -1:], at, length)[:, 0]

    return step


def greedy(step: Callable[[Tensor], Tensor], rows: int, count: int, guidance: Guidance, device: torch.device) -> Tensor:
    """Codes [rows, count] of a step function that knows the conditional and the unconditional rows."""
    codes = torch.zeros(2 * rows, 0, dtype=torch.int64, device=device)
    for index in range(count):
        logits = step(codes)
        on = not index or guidance.active(index - 1)
        logits = guidance.combine(logits[:rows], logits[rows:], 0.0) if on else logits[:rows]
        best = logits.argmax(-1)
        codes = torch.cat([codes, torch.cat([best, best])[:, None]], 1)
    return codes[:rows]


def bandwidth(device: torch.device, size: int = 2**31) -> float:
    """Bytes a second that the device moves when it copies `size` bytes (each is read once and written once)."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = 0.0
    for _ in range(5):
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize(device)
        best = max(best, 2 * size / (time.perf_counter() - started))
    return best


def bytes_a_step(network: Decoder, rows: int, tokens: int, interval: int | None) -> float:
    """Bytes that a step must read on average: weights but for the embeddings, and keys and values so far of all rows.

    `rows` conditional ones; as many unconditional ones run along until `interval` (None: to the end).
    """
    weights = sum(p.numel() * p.element_size() for n, p in network.named_parameters() if "embed" not in n)
    cell = 2 * len(network.layers) * network.heads * network.head * network.tok_embeddings.weight.element_size()
    until = tokens if interval is None else min(interval + 2, tokens)
    seen = sum((2 * rows if i < until else rows) * (i + 1) for i in range(tokens)) / tokens
    return weights + cell * seen


def main() -> None:
    """Measure and write results/generate.csv."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--tokens", type=int, default=64)
    options.add_argument("--requests", type=int, default=2)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--interval", type=int)
    options.add_argument("--size", choices=sorted(SIZES), default="b")
    options.add_argument("--device", default="cpu")
    options.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    options.add_argument("--without-no-cache", action="store_true", help="leave out the slowest candidate")
    args = options.parse_args()

    torch.manual_seed(0)
    device, dtype = torch.device(args.device), getattr(torch, args.dtype)
    config = LlamaGenConfig(*SIZES[args.size])
    network = LlamaGen.build(config)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.05)
    source = Source(f"llamagen-{args.size}", config, None, None, None, None, device, dtype)
    model = LlamaGen(source, network)
    model.rows, model.tokens_per_image = args.requests, args.tokens
    guidance = Guidance("llamagen", 2.0, interval=args.interval)
    requests = [Request(str(i), class_id=i, sampler=Sampler(guidance, top_k=1)) for i in range(args.requests)]
    classes = model.encode_conditions(requests)
    both = torch.cat([classes, model.network.null(classes)])

    def other(step: Callable[[], Callable[[Tensor], Tensor]]) -> Callable[[], Tensor]:
        def work() -> Tensor:
            with torch.inference_mode():
                return finished(greedy(step(), args.requests, args.tokens, guidance, device))

        return work

    def finished(codes: Tensor) -> Tensor:
        return codes.cpu()  # which waits for the device

    def whole(codes: Tensor) -> Tensor:
        return model.network(both, torch.cat([codes, codes.new_zeros(len(codes), 1)], 1))[:, -1]

    work: dict[str, Callable[[], Tensor]] = {
        "evalkit": lambda: finished(model.sample_tokens(requests)),
        "whole cache": other(lambda: whole_cache(model.network, both, args.tokens)),
    }
    if not args.without_no_cache:
        work["no cache"] = other(lambda: whole)
    codes = {name: call() for name, call in work.items()}
    seconds = in_turn(work, args.repeats)
    rows = summary(seconds, "evalkit", each=args.tokens)
    made = args.tokens * args.requests
    bound = None
    if device.type == "cuda":
        bound = bytes_a_step(model.network, args.requests, args.tokens, args.interval) / bandwidth(device) * 1e3
    for row in rows:
        name = row["candidate"]
        row["tokens_per_s"] = round(made / args.tokens / row["median_ms"] * 1e3, 1)
        row["bound_ms"] = "" if bound is None else round(bound, 4)
        row["share_of_bound"] = "" if bound is None else round(bound / row["median_ms"], 3)
        row["same_codes"] = f"{float((codes[name] == codes['evalkit']).double().mean()):.3f}"
        row.update(tokens=args.tokens, requests=args.requests, interval=args.interval, threads=torch.get_num_threads())
        row.update(size=args.size, device=torch.cuda.get_device_name(device) if bound else "cpu", dtype=args.dtype)
    name = f"generate-{args.tokens}" + ("" if args.interval is None else f"-interval{args.interval}")
    write(name + ("" if device.type == "cpu" else f"-{device.type}-{args.size}-{args.requests}"), rows)


if __name__ == "__main__":
    main()
