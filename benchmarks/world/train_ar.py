r"""Train world-ar on endless scenes; an hour and a half on two CPU cores with bfloat16 matrix units.

    python benchmarks/world/train_ar.py --minutes 90 --work runs/world-ar

The draft of speculative decoding, world-ar-draft, is a smaller network of the same kind:

    python benchmarks/world/train_ar.py --width 128 --layers 2 --heads 2 --processes 1 --minutes 12 \
        --work runs/world-ar-draft --file world_ar_draft.safetensors --int8

world-vq sees one 8x8 block at a time, so the codes of a scene are those of its sprites on its ground: they are encoded
once, and a batch is put together from a table. Captions that `held_out` names are never shown. The state in --work is
kept every few minutes; the same command goes on where it stopped and writes world_ar.safetensors (bfloat16 storage of
the running mean of the weights) at the end.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed, nn
from torch.multiprocessing import spawn

from evalkit.world.ar_net import WorldARConfig, WorldARNet
from evalkit.world.captions import held_out, write_caption
from evalkit.world.render import render_scene
from evalkit.world.scene import STEP, TASKS, Scene, Thing, draw_scene
from evalkit.world.second.int8 import narrowed
from evalkit.world.text import PAD, encode_caption
from evalkit.world.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS
from evalkit.world.vq_net import WorldVQConfig, WorldVQNet

DATA = Path(__file__).parents[2] / "evalkit/world/data"
WEIGHTS = {"single_object": 1, "two_object": 2, "counting": 2, "colors": 1, "position": 4, "color_attr": 10}
DROPPED = 0.1  # share of captions left out, for guidance
Table = dict[tuple[str, str, str | None], NDArray[np.int64]]


def code_table(net: WorldVQNet) -> tuple[Table, dict[str, int]]:
    """Codes [3, 3] of every (ground, class, colour), and the code of every bare ground."""
    keys = [(g, c, k) for g in GROUNDS for c in CLASS_NAMES for k in (None, *COLOR_NAMES)]
    pixels = np.stack([render_scene(Scene("", g, (Thing(c, k, 0, 0),))) for g, c, k in keys])
    with torch.inference_mode():
        parts = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1).split(96)
        maps = torch.cat([net.indices(net.encoder(part)) for part in parts]).view(-1, 8, 8).numpy()
    return {k: m[:3, :3] for k, m in zip(keys, maps, strict=True)}, {
        k[0]: int(m[7, 7]) for k, m in zip(keys, maps, strict=True)
    }


class Batches:
    """Captions and codes of scenes, drawn from a seed and the number of the step."""

    def __init__(self, net: WorldVQNet, seed: str) -> None:
        self.table, self.grounds = code_table(net)
        self.seed = seed

    def draw(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        rng = Random(f"{self.seed}-{step}")
        texts, maps = [], np.empty((size, 8, 8), np.int64)
        for row in range(size):
            scene, caption = trained(rng.choices(TASKS, [WEIGHTS[t] for t in TASKS])[0], rng)
            texts.append([PAD] * len(encode_caption("")) if rng.random() < DROPPED else encode_caption(caption))
            maps[row] = self.grounds[scene.ground]
            for t in scene.things:
                y, x = t.y // STEP, t.x // STEP
                maps[row, y : y + 3, x : x + 3] = self.table[scene.ground, t.name, t.color]
        return torch.tensor(texts), torch.from_numpy(maps.reshape(size, 64))


def trained(task: str, rng: Random) -> tuple[Scene, str]:
    while True:
        scene = draw_scene(task, rng)
        caption = write_caption(scene, rng)
        if not held_out(scene, caption):
            return scene, caption


def groups(net: nn.Module, decay: float) -> list[dict[str, object]]:
    named = dict(net.named_parameters())
    plain = {
        n for n, p in named.items() if p.ndim < 2 or n in ("words.weight", "word_places", "rows", "columns", "start")
    }
    return [
        {"params": [p for n, p in named.items() if n not in plain], "weight_decay": decay},
        {"params": [named[n] for n in named if n in plain], "weight_decay": 0.0},
    ]


def train(rank: int, given: argparse.Namespace) -> None:
    """One of the processes; each has its own part of a batch, and all take the same step."""
    work, size, rate, minutes = given.work, given.batch // given.processes, given.rate, given.minutes
    torch.set_num_threads(1)  # one thread a process: threads of one process wait for each other all the time
    store = work / f"meeting-{given.started}"
    distributed.init_process_group(
        "gloo", init_method=f"file://{store.resolve()}", rank=rank, world_size=given.processes
    )
    torch.manual_seed(given.seed)
    tokenizer = WorldVQNet(WorldVQConfig())
    tokenizer.load_state_dict(load_file(given.vq))
    batches = Batches(tokenizer.eval(), f"{given.seed}-{rank}")
    net = WorldARNet(WorldARConfig(width=given.width, layers=given.layers, heads=given.heads))
    optimizer = torch.optim.AdamW(groups(net, 0.05), rate, betas=(0.9, 0.98))
    mean, step, spent, state = {k: v.clone() for k, v in net.state_dict().items()}, 0, 0.0, work / "state.pt"
    if state.exists():
        kept = torch.load(state, weights_only=True)
        net.load_state_dict(kept["net"])
        optimizer.load_state_dict(kept["optimizer"])
        mean, step, spent = kept["mean"], kept["step"], kept["spent"]
    if rank == 0:
        print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters; step {step}", flush=True)
    running, saved = 0.0, time.perf_counter()
    while (progress := spent / (60 * minutes)) < 1:
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 200) * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
        text, tokens = batches.draw(step, size)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(text, tokens)
        loss = F.cross_entropy(logits.float().flatten(0, 1), tokens.flatten())
        optimizer.zero_grad()
        loss.backward()
        elapsed = share(net, time.perf_counter() - started)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step, spent, running = step + 1, spent + elapsed, running + float(loss.detach())
        if rank:
            continue
        weight = min(0.999, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in net.state_dict().items():
                mean[name].lerp_(value, 1 - weight)
        if step % 50 == 0:
            print(f"{step} {spent:.0f}s nats an image {running / 50 * 64:.3f}", flush=True)
            running = 0.0
        if time.perf_counter() - saved > 120 or spent >= 60 * minutes:
            keep = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "mean": mean}
            torch.save({**keep, "step": step, "spent": spent}, work / "state.tmp")
            (work / "state.tmp").replace(state)
            saved = time.perf_counter()
    if rank == 0:
        low = narrowed(mean) if given.int8 else {k: v.contiguous().to(torch.bfloat16) for k, v in mean.items()}
        save_file(low, work / given.file, {"format": "pt", "data": "evalkit.world, Noto Emoji sprites"})
    distributed.destroy_process_group()


def share(net: nn.Module, elapsed: float) -> float:
    """Average the gradients over all processes; returns the averaged time, so that all agree on the schedule."""
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients] + [torch.tensor([elapsed])])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    low = 0
    for gradient in gradients:
        gradient.copy_(flat[low : low + gradient.numel()].view_as(gradient))
        low += gradient.numel()
    return float(flat[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=90.0, help="of computing, whatever else the machine does")
    parser.add_argument("--work", type=Path, default=Path("runs/world-ar"))
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--width", type=int, default=WorldARConfig.width)
    parser.add_argument("--layers", type=int, default=WorldARConfig.layers)
    parser.add_argument("--heads", type=int, default=WorldARConfig.heads)
    parser.add_argument("--file", default="world_ar.safetensors", help="of the weights, in --work")
    parser.add_argument("--int8", action="store_true", help="a byte for each weight of a matrix")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vq", type=Path, default=DATA / "world_vq.safetensors")
    options = parser.parse_args()
    options.started = time.time_ns()
    options.work.mkdir(parents=True, exist_ok=True)
    spawn(train, (options,), options.processes)
