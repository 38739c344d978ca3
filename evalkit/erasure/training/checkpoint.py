"""Checkpoints of a training: enough to go on with the very same updates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from evalkit.erasure.training.chosen import Chosen
from evalkit.erasure.training.windows import Tally
from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.whole_files import whole

FILE = "checkpoint.safetensors"
_STATE = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Progressed:
    """How far a training is: `units` of pairs, updates, dropped windows, the mean loss of each unit, seconds."""

    units: int = 0
    updates: int = 0
    dropped: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, tally: Tally, seconds: float) -> None:
        """One more unit is done, `seconds` after the beginning of all."""
        self.units += 1
        self.updates += tally.updates
        self.dropped += tally.dropped
        self.losses.append(tally.loss)
        self.seconds = seconds


def save_checkpoint(
    folder: Path, plan: str, progressed: Progressed, chosen: Chosen, optimiser: torch.optim.Optimizer
) -> None:
    """Write weights, the optimiser's state and the progress; the file appears whole or not at all."""
    from safetensors.torch import save_file

    values: dict[str, Tensor] = {}
    for name, parameter in chosen.parameters.items():
        values[f"value {name}"] = parameter.detach().cpu().contiguous()
        state: Mapping[str, Tensor] = optimiser.state.get(parameter, {})
        values |= {f"{part} {name}": state[part].detach().cpu().contiguous() for part in _STATE if part in state}
    said = {"plan": plan, "progress": json.dumps(vars(progressed))}
    with whole(folder / FILE) as temporary:
        save_file(values, temporary, said)


def load_checkpoint(folder: Path, plan: str, chosen: Chosen, optimiser: torch.optim.Optimizer) -> Progressed:
    """Take over a folder's checkpoint where there is one. Raises `EvalkitError` for one of another training."""
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.is_file():
        return Progressed()
    try:
        with safe_open(path, "pt") as opened:
            said = opened.metadata() or {}
            values = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if said.get("plan") != plan:
            raise EvalkitError(f"{folder} holds another training. Give another --out, or the settings of before")
        progressed = Progressed(**parse_json(said["progress"], path.name))
    except (SafetensorError, OSError, *DAMAGED) as error:
        raise EvalkitError(f"{path} is no whole checkpoint ({type(error).__name__}). Remove it to begin anew") from None
    chosen.load({name: values[f"value {name}"] for name in chosen.parameters})
    for name, parameter in chosen.parameters.items():
        state = {part: values[f"{part} {name}"] for part in _STATE if f"{part} {name}" in values}
        if state:
            optimiser.state[parameter] = {
                part: value if part == "step" else value.to(parameter) for part, value in state.items()
            }
    return progressed
