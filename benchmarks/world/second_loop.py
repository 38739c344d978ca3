"""The training loop of the second world's networks: made to be stopped and resumed, on a CPU or a GPU.

Step i of a seed sees the same scenes with any stops in between; a state holds the networks, the optimiser, the
running mean, the number of the step and the random numbers. A schedule needs to know its end: `--steps` gives it, and
`--fit` sets it so that the whole takes so many minutes, from the speed of the first steps; the number is printed, stored,
and with `--steps` the same file is made again on the same kind of machine. `--minutes` only ends this call.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products repeat bit for bit

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

STOPPED = 75  # exit status where a schedule has not ended
WARM, TIMED = 30, 60  # steps before the speed is measured, and up to which it is


class Job(Protocol):
    """One network to train."""

    name: str

    @property
    def net(self) -> nn.Module:
        """The network whose parameters are trained."""
        ...

    def draw(self, rng: Random, size: int) -> tuple[Tensor, ...]:
        """A batch on the CPU, from `rng` alone; runs in worker processes."""
        ...

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, float | Tensor]]:
        """What is minimised for a batch on the device, and what is printed."""
        ...

    def kept(self) -> dict[str, Tensor]:
        """Tensors beside the network that a state must hold; they are filled in place when it is read."""
        ...


@dataclass(frozen=True)
class Preset:
    """Images a step, the highest rate of learning, steps to rise to it, and worker processes that draw scenes."""

    batch: int
    rate: float
    warmup: int = 200
    workers: int = 0
    decay: float = 0.02
    mean: float = 0.999
    flat: float = (
        0.0  # share of the schedule at the highest rate, which then falls to 0 in a line; 0: a cosine from the start
    )
    turned: str = ""  # matrices whose names hold it take the orthogonal steps of Muon instead of AdamW's


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    work: Path
    device: str
    steps: int
    fit: float
    minutes: float
    batch: int
    seed: int
    every: int
    compile: bool


class Batches(Dataset[tuple[Tensor, ...]]):
    """Batch i of a job and a seed."""

    def __init__(self, draw: Callable[[Random, int], tuple[Tensor, ...]], label: str, size: int) -> None:
        self.draw, self.label, self.size = draw, label, size

    def __getitem__(self, step: int) -> tuple[Tensor, ...]:
        """Scenes of a step."""
        return self.draw(Random(f"{self.label}-{step}"), self.size)


def parser(description: str, work: str) -> argparse.ArgumentParser:
    """The options that all trainings share."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--work", type=Path, default=Path(work), help="folder of the state and of the weights")
    found.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    found.add_argument("--steps", type=int, default=0, help="all steps of the schedule; 0: as --fit says")
    found.add_argument("--fit", type=float, default=0.0, help="minutes that all steps together should take")
    found.add_argument("--minutes", type=float, default=1e9, help="after which this call stops; the next one goes on")
    found.add_argument("--batch", type=int, default=0, help="images a step; 0: as the preset of the device")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--every", type=int, default=50, help="steps between printed lines")
    found.add_argument("--compile", action="store_true", help="torch.compile the network")
    return found


def options(given: argparse.Namespace) -> Options:
    """The shared options of a command line."""
    if not given.steps and not given.fit:
        raise SystemExit("give --steps or --fit, so that the schedule has an end")
    return Options(**{name: getattr(given, name) for name in Options.__dataclass_fields__})


class Training:
    """A job with its optimiser, its running mean and its place in the data."""

    def __init__(self, job: Job, preset: Preset, given: Options) -> None:
        self.job, self.preset, self.given = job, preset, given
        self.size = given.batch or preset.batch
        self.device = torch.device(given.device)
        if self.device.type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
        self.path = given.work / f"{job.name}.state.pt"
        self.optimizers = _optimizers(job.net, preset)
        self.mean = {k: v.detach().clone().float() for k, v in job.net.state_dict().items()}
        self.step, self.steps, self.seconds, self._timed = 0, given.steps, 0.0, 0.0
        self._resume()
        if given.compile:
            job.net.compile()

    def run(self) -> bool:
        """Train until the schedule or the time of this call ends; returns whether the schedule did."""
        many: dict[str, Any] = {
            "num_workers": self.preset.workers,
            "prefetch_factor": 4,
            "multiprocessing_context": "fork",
        }
        loader = DataLoader(
            Batches(self.job.draw, f"{self.job.name}-{self.given.seed}", self.size),
            batch_size=None,
            sampler=range(self.step, 10**9),
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # not the one that a state keeps
            **(many if self.preset.workers else {}),
        )
        began = saved = time.perf_counter()
        before, first = self.seconds, self.step
        for batch in loader:
            if self.done:
                break
            shown = self._step(batch)
            now = time.perf_counter()
            self.seconds = before + now - began
            self._fit_steps(first, now)
            if self.step % self.given.every == 0 or self.done:
                self._tell(shown)
            if now - began > 60 * self.given.minutes:
                break
            if now - saved > 180:
                self.save()
                saved = now
        self.save()
        return self.done

    @property
    def done(self) -> bool:
        """Whether all steps were made."""
        return bool(self.steps) and self.step >= self.steps

    def _step(self, batch: Sequence[Tensor]) -> dict[str, float | Tensor]:
        progress = self.step / self.steps if self.steps else 0.0
        wave = 0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2
        if self.preset.flat:
            wave = max(0.01, min(1.0, (1 - progress) / (1 - self.preset.flat)))
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = self.preset.rate * min(1, (self.step + 1) / self.preset.warmup) * wave
        moved = tuple(part.to(self.device, non_blocking=True) for part in batch)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss, shown = self.job.loss(moved, self.step, progress)
        self.job.net.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.job.net.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        weight = 1 - min(self.preset.mean, self.step / (10 + self.step))
        with torch.no_grad():
            now = [v.float() for v in self.job.net.state_dict().values()]
            torch._foreach_lerp_(list(self.mean.values()), now, weight)
        return {"loss": loss.detach(), **shown}

    def _fit_steps(self, first: int, now: float) -> None:
        if self.steps:
            return
        if self.device.type == "cuda" and self.step in (first + WARM, first + TIMED):
            torch.cuda.synchronize()
            now = time.perf_counter()
        if self.step == first + WARM:
            self._timed = now
        elif self.step == first + TIMED:
            each = (now - self._timed) / (TIMED - WARM)
            self.steps = self.step + max(1, int((60 * self.given.fit - self.seconds) / each))
            print(
                f"{self.job.name}: {each:.3f} s a step, {self.size / each:.0f} images/s; {self.steps} steps", flush=True
            )

    def _tell(self, shown: dict[str, float | Tensor]) -> None:
        rate = self.step * self.size / max(self.seconds, 1e-9)
        words = " ".join(f"{name} {float(value):.4f}" for name, value in shown.items())
        line = f"{self.job.name} step {self.step}/{self.steps or '?'} {self.seconds:.0f}s {rate:.0f} images/s {words}"
        print(line, flush=True)
        with (self.given.work / f"{self.job.name}.log").open("a") as log:
            log.write(line + "\n")

    def save(self) -> None:
        """Write the state, whole or not at all."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        state = {
            "net": self.job.net.state_dict(), "optimizers": [o.state_dict() for o in self.optimizers], "mean": self.mean,
            "kept": self.job.kept(), "step": self.step, "steps": self.steps, "seconds": self.seconds,
            "batch": self.size, "seed": self.given.seed, "cpu": torch.get_rng_state(), "cuda": cuda,
        }  # fmt: skip
        temporary = self.path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self.path)

    def _resume(self) -> None:
        if not self.path.exists():
            torch.manual_seed(self.given.seed)
            return
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        if (state["batch"], state["seed"]) != (self.size, self.given.seed):
            raise SystemExit(f"{self.path} was made with --batch {state['batch']} --seed {state['seed']}; give these")
        self.job.net.load_state_dict(state["net"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.mean = {name: value.to(self.device) for name, value in state["mean"].items()}
        for name, tensor in self.job.kept().items():
            tensor.copy_(state["kept"][name])
        self.step, self.seconds = state["step"], state["seconds"]
        self.steps = self.given.steps or state["steps"]
        torch.set_rng_state(state["cpu"])
        if state["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.device)

    def leave(self, ended: bool) -> None:
        """End the program, with status `STOPPED` where the schedule has not ended."""
        print("schedule ended" if ended else "stopped; the same command goes on", flush=True)
        raise SystemExit(0 if ended else STOPPED)

    def facts(self) -> dict[str, str]:
        """What the weight file says of how it was made."""
        kind = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        made = {"steps": self.step, "of": self.steps, "batch": self.size, "seed": self.given.seed, "device": kind}
        return {"format": "pt", "data": "evalkit.world.second, Noto Emoji sprites", "made": json.dumps(made)}


def _optimizers(net: nn.Module, preset: Preset) -> list[torch.optim.Optimizer]:
    """AdamW, with weight decay for matrices and none for vectors and tables of words and places; Muon where asked for."""
    tables = {f"{n}.weight" for n, m in net.named_modules() if isinstance(m, nn.Embedding)}
    named = dict(net.named_parameters())
    plain = {
        n
        for n, p in named.items()
        if p.ndim < 2 or n in tables or n.split(".")[-1] in ("word_places", "rows", "columns", "start")
    }
    turned = {n for n, p in named.items() if preset.turned and preset.turned in n and p.ndim == 2} - plain
    groups = [
        {"params": [p for n, p in named.items() if n not in plain | turned], "weight_decay": preset.decay},
        {"params": [named[n] for n in named if n in plain], "weight_decay": 0.0},
    ]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, preset.rate, betas=(0.9, 0.98))]
    if turned:
        matrices = [named[n] for n in named if n in turned]
        found.append(torch.optim.Muon(matrices, preset.rate, weight_decay=preset.decay, adjust_lr_fn="match_rms_adamw"))
    return found


def write_half(state: dict[str, Tensor], path: Path, facts: dict[str, str]) -> None:
    """Weights as float16, and the digest of the file on the screen."""
    half = {k: (v.half() if v.is_floating_point() else v).contiguous().cpu() for k, v in state.items()}
    save_file(half, path, facts)
    print(f"{path}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}", flush=True)
