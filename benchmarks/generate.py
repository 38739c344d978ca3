"""CPU tokens per second of LlamaGen-B's decoding: evalkit's cache beside the shapes that other samplers give it.

The same network, weights, guidance and requests everywhere, and the same codes come out:
  evalkit          keys and values are written into one allocation; a step reads those that are filled
  masked cache     a step reads the whole allocation under a mask, and the unconditional rows run on to the end (the
                   shape of LlamaGen's own sampler)
  growing cache    keys and values grow by concatenation at every step (the shape of dynamic caches)
  no cache         the whole sequence runs again at every step

    python benchmarks/generate.py [--tokens 64] [--requests 2] [--repeats 3] [--interval N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "speed"))

import torch
from common import in_turn, summary, write
from torch import Tensor

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nets.decoder import Decoder
from evalkit.generators.nets.llama import KVCache
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler


class MaskedCache(KVCache):
    """Gives back the whole allocation, as LlamaGen's cache does."""

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        super().extend(layer, keys, values)
        return self.keys[layer], self.values[layer]


class GrowingCache(KVCache):
    """Holds a tensor for each layer that is copied whenever it grows."""

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        held: dict[int, tuple[Tensor, Tensor]] = self.__dict__.setdefault("held", {})
        if layer in held:
            keys, values = torch.cat([held[layer][0], keys], 2), torch.cat([held[layer][1], values], 2)
        held[layer] = keys, values
        return keys, values


def cached(network: Decoder, conditions: Tensor, count: int, kind: type[KVCache]) -> Callable[[Tensor], Tensor]:
    """A step function over a cache of the given kind: codes so far [B, n] -> logits [B, V]."""
    rows, length = len(conditions), count
    weight = network.tok_embeddings.weight
    cache = kind(
        len(network.layers), rows, network.heads, length, network.head, device=weight.device, dtype=weight.dtype
    )
    cache.keys.zero_()
    cache.values.zero_()
    cond = network.condition(conditions)

    def step(codes: Tensor) -> Tensor:
        start = cache.used
        x = cond if start == 0 else network.embed(codes[:, -1:], start - 1)
        mask = (torch.arange(length) <= start)[None, None, None] if kind is MaskedCache else None
        return network.head_of(network.run(x, cond, mask, cache), cond, start)[:, 0]

    return step


def greedy(step: Callable[[Tensor], Tensor], rows: int, count: int, guidance: Guidance) -> Tensor:
    """Codes [rows, count] of a step function that knows the conditional and the unconditional rows."""
    codes = torch.zeros(2 * rows, 0, dtype=torch.int64)
    for index in range(count):
        logits = step(codes)
        on = not index or guidance.active(index - 1)
        logits = guidance.combine(logits[:rows], logits[rows:], 0.0) if on else logits[:rows]
        best = logits.argmax(-1)
        codes = torch.cat([codes, torch.cat([best, best])[:, None]], 1)
    return codes[:rows]


def main() -> None:
    """Measure and write results/generate.csv."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--tokens", type=int, default=64)
    options.add_argument("--requests", type=int, default=2)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--interval", type=int)
    options.add_argument("--without-no-cache", action="store_true", help="leave out the slowest candidate")
    args = options.parse_args()

    torch.manual_seed(0)
    config = LlamaGenConfig()
    network = LlamaGen.build(config)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.05)
    source = Source("llamagen-b", config, None, None, None, None, torch.device("cpu"), torch.float32)
    model = LlamaGen(source, network)
    model.rows, model.tokens_per_image = args.requests, args.tokens
    guidance = Guidance("llamagen", 2.0, interval=args.interval)
    requests = [Request(str(i), class_id=i, sampler=Sampler(guidance, top_k=1)) for i in range(args.requests)]
    classes = model.encode_conditions(requests)
    both = torch.cat([classes, model.network.null(classes)])

    def other(step: Callable[[], Callable[[Tensor], Tensor]]) -> Callable[[], Tensor]:
        def work() -> Tensor:
            with torch.inference_mode():
                return greedy(step(), args.requests, args.tokens, guidance)

        return work

    def whole(codes: Tensor) -> Tensor:
        return model.network(both, torch.cat([codes, codes.new_zeros(len(codes), 1)], 1))[:, -1]

    work: dict[str, Callable[[], Tensor]] = {
        "evalkit": lambda: model.sample_tokens(requests),
        "masked cache": other(lambda: cached(model.network, both, args.tokens, MaskedCache)),
        "growing cache": other(lambda: cached(model.network, both, args.tokens, GrowingCache)),
    }
    if not args.without_no_cache:
        work["no cache"] = other(lambda: whole)
    codes = {name: call() for name, call in work.items()}
    seconds = in_turn(work, args.repeats)
    rows = summary(seconds, "evalkit", each=args.tokens)
    made = args.tokens * args.requests
    for row in rows:
        name = row["candidate"]
        row["tokens_per_s"] = round(made / args.tokens / row["median_ms"] * 1e3, 1)
        row["same_codes"] = f"{float((codes[name] == codes['evalkit']).double().mean()):.3f}"
        row.update(tokens=args.tokens, requests=args.requests, interval=args.interval, threads=torch.get_num_threads())
    write(f"generate-{args.tokens}" + ("" if args.interval is None else f"-interval{args.interval}"), rows)


if __name__ == "__main__":
    main()
