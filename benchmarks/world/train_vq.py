"""Train world-vq on scenes that are drawn on the fly; about half an hour on two CPU cores.

    OMP_NUM_THREADS=2 python benchmarks/world/train_vq.py --minutes 30 --work runs/world-vq

The state in --work is kept every minute: the same command goes on where it stopped. The last line writes
world_vq.safetensors (float16) beside it.
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
from safetensors.torch import save_file
from torch import Tensor

from evalkit.world.render import render_scene
from evalkit.world.scene import TASKS, Scene, Thing, draw_scene
from evalkit.world.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS
from evalkit.world.vq_net import WorldVQConfig, WorldVQNet

DECAY = 0.98  # of the running means that the codes are
FREE = 250  # steps without quantisation, so that the codes start from features that mean something


def crowded(rng: Random) -> Scene:
    """An image as full as can be, so that little time goes into bare ground."""
    things = []
    for slot in range(4):
        if rng.random() < 0.9:
            color = None if rng.random() < 0.3 else rng.choice(COLOR_NAMES)
            x, y = slot % 2 * 32 + rng.choice((0, 8)), slot // 2 * 32 + rng.choice((0, 8))
            things.append(Thing(rng.choice(CLASS_NAMES), color, x, y))
    return Scene("crowded", rng.choice(tuple(GROUNDS)), tuple(things))


def batch(rng: Random, size: int) -> Tensor:
    """float32 [size, 3, 64, 64] in [-1, 1]; a tenth are scenes of the six tasks."""
    scenes = [crowded(rng) if rng.random() < 0.9 else draw_scene(rng.choice(TASKS), rng) for _ in range(size)]
    pixels = torch.from_numpy(np.stack([render_scene(scene) for scene in scenes]))
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


class Codes:
    """Codes as running means of what they stand for; one that is hardly used any more starts again from the batch."""

    def __init__(self, codebook: Tensor) -> None:
        self.codebook = codebook
        self.count = torch.ones(len(codebook), device=codebook.device)
        self.total = codebook.clone()

    def update(self, vectors: Tensor, indices: Tensor, *, revive: bool) -> int:
        count = torch.bincount(indices, minlength=len(self.count)).float()
        total = torch.zeros_like(self.total).index_add_(0, indices, vectors)
        self.count.mul_(DECAY).add_(count, alpha=1 - DECAY)
        self.total.mul_(DECAY).add_(total, alpha=1 - DECAY)
        dead = (self.count < 0.05).nonzero()[:, 0] if revive else torch.empty(0, dtype=torch.long)
        if len(dead):
            gap = 1 - (vectors * self.codebook[indices]).sum(1)
            worst = torch.multinomial(gap.clamp(min=1e-6), len(dead), replacement=True)
            self.total[dead], self.count[dead] = vectors[worst] * 0.3, 0.3
        self.codebook.copy_(F.normalize(self.total, dim=1))
        return len(dead)


def spread(vectors: Tensor, count: int) -> Tensor:
    """`count` of the vectors, each the farthest from those before it."""
    chosen = [0]
    nearest = vectors @ vectors[0]
    for _ in range(count - 1):
        chosen.append(int(nearest.argmin()))
        nearest = torch.maximum(nearest, vectors @ vectors[chosen[-1]])
    return vectors[chosen]


def edges(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def loss_of(y: Tensor, x: Tensor) -> Tensor:
    """Absolute and squared error, and the absolute error of the differences between neighbours, against blur."""
    sharp = sum(F.l1_loss(a, b) for a, b in zip(edges(y), edges(x), strict=True))
    return F.l1_loss(y, x) + 3 * F.mse_loss(y, x) + sharp


def train(minutes: float, work: Path, size: int, rate: float, seed: int) -> None:
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    net = WorldVQNet(WorldVQConfig()).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), rate, betas=(0.9, 0.98), weight_decay=1e-4)
    codes, step, spent, state = Codes(net.codebook), 0, 0.0, work / "state.pt"
    if state.exists():
        kept = torch.load(state, weights_only=True)
        net.load_state_dict(kept["net"])
        optimizer.load_state_dict(kept["optimizer"])
        codes.count, codes.total, step, spent = kept["count"], kept["total"], kept["step"], kept["spent"]
    print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters; step {step}", flush=True)
    while (progress := spent / (60 * minutes)) < 1:
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)
        x = batch(Random(f"{seed}-{step}"), size).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            z = net.encoder(x)
            flat = z.detach().permute(0, 2, 3, 1).flatten(0, 2)
            if step == FREE:
                with torch.no_grad():
                    pool = torch.cat([net.encoder(batch(Random(f"{seed}-pool-{i}"), size)) for i in range(12)])
                codes.total = spread(pool.permute(0, 2, 3, 1).flatten(0, 2), len(codes.count)).clone()
                net.codebook.copy_(codes.total)
            indices = net.indices(z.detach())
            q = net.lookup(indices, (8, 8)) if step >= FREE else z.detach()
            y = net.decoder(z + (q - z).detach())
        loss = loss_of(y.float(), x) + 0.25 * F.mse_loss(z, q.detach()) * z.shape[1]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        dead = codes.update(flat, indices.flatten(), revive=progress < 0.7) if step >= FREE else 0
        step, spent = step + 1, spent + time.perf_counter() - started
        if step % 50 == 0:
            psnr = -10 * math.log10(float(F.mse_loss(y.detach().float().clamp(-1, 1), x)) / 4)
            used = len(indices.unique())
            print(
                f"{step} {spent:.0f}s loss {float(loss.detach()):.4f} psnr {psnr:.2f} used {used} dead {dead}",
                flush=True,
            )
        if step % 100 == 0 or spent >= 60 * minutes:
            keep = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**keep, "count": codes.count, "total": codes.total, "step": step, "spent": spent}, state)
    half = {k: v.contiguous().to(torch.float16) for k, v in net.state_dict().items()}
    save_file(
        half, work / "world_vq.safetensors", {"format": "pt", "data": "scenes of evalkit.world, Noto Emoji sprites"}
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--work", type=Path, default=Path("runs/world-vq"))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train(given.minutes, given.work, given.batch, given.rate, given.seed)
