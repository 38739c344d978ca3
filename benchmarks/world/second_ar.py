"""Train world-ar2 on endless scenes of the second world, tokenized by a finished world-vq2 on the device.

    python benchmarks/world/second_ar.py --steps 60000 --minutes 120 --work runs/world2        # a CPU, some nights
    python benchmarks/world/second_ar.py --device cuda --fit 6.5 --compile --work runs/world2   # a GPU

Captions that `held_out` names are never shown; a tenth are left out, for guidance. Writes world_ar2.safetensors (int8, a
step for each row) into --work, also when the schedule has not ended.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from second_loop import Preset, Training, options, parser
from second_vq import images_of
from torch import Tensor, nn

from evalkit.generators.world_ar import SECOND
from evalkit.world.ar_net import WorldARNet
from evalkit.world.second.captions import describe, held_out
from evalkit.world.second.int8 import narrowed
from evalkit.world.second.pack import pack, things_of
from evalkit.world.second.render import boxes
from evalkit.world.second.scene import SIDE, TASKS, Scene, draw_scene
from evalkit.world.second.vocabulary import CLASS_NAMES, COLOR_NAMES
from evalkit.world.second.vq_net import CONFIG, WorldVQ2Net
from evalkit.world.second.words import lexicon
from evalkit.world.text import PAD

PRESETS = {
    "cpu": Preset(32, 2e-3, 300, decay=0.05, flat=0.7, turned="blocks."),
    "cuda": Preset(256, 3e-3, 300, workers=14, decay=0.05, flat=0.7, turned="blocks."),
}
# how often each task is shown; relations, colours of two things and numbers are learned last
WEIGHTS = {"single_object": 3, "colors": 5, "style": 2, "two_object": 3, "negation": 1, "size": 2, "counting": 8,
           "position": 5, "color_natural": 3, "color_attr": 6, "three_objects": 2, "mixed_counts": 5}  # fmt: skip
DROPPED = 0.1
# The weight of what stands at a code's place, which the scene knows, beside the codes: words find things much sooner.
# It falls to nothing, so that in the end the law of the codes alone is learned.
TAUGHT, TAUGHT_UNTIL = 1.0, 0.8


class Taught(nn.Module):
    """The generator, and two layers for what it is taught beside codes; they are left out of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.net = WorldARNet(SECOND)
        self.classes = nn.Linear(SECOND.width, len(CLASS_NAMES) + 1)
        self.colors = nn.Linear(SECOND.width, len(COLOR_NAMES) + 2)


class ARJob:
    """Cross entropy of the codes of scenes under their captions, and at first of what stands at each code's place."""

    name = "ar"

    def __init__(self, device: str, vq: Path) -> None:
        self.net = Taught().to(device)
        self.tokenizer = WorldVQ2Net(CONFIG)
        self.tokenizer.load_state_dict(load_file(vq))
        self.tokenizer.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def draw(self, rng: Random, size: int) -> tuple[Tensor, ...]:
        """Rows of scenes, and words of their captions int16 [size, words]."""
        pairs = [trained(rng) for _ in range(size)]
        empty = [PAD] * SECOND.text
        texts = [empty if rng.random() < DROPPED else lexicon().encode(caption) for _, caption in pairs]
        return pack([scene for scene, _ in pairs]), torch.tensor(texts, dtype=torch.int16)

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, float | Tensor]]:
        """See the class."""
        rows, text = batch
        with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
            tokens = self.tokenizer.indices(self.tokenizer.encoder(images_of(rows)))
        net = self.net.net
        states = net.whole(text.long(), tokens)[:, SECOND.text :]
        loss = F.cross_entropy(net.head(states).float().flatten(0, 1), tokens.flatten())
        shown: dict[str, float | Tensor] = {"bits an image": loss.detach() * tokens.shape[1] / 0.6931472}
        weight = TAUGHT * max(0.0, 1 - progress / TAUGHT_UNTIL)
        if weight:
            kinds, colors = (part.flatten() for part in standing(rows))
            kind = F.cross_entropy(self.net.classes(states).float().flatten(0, 1), kinds)
            color = F.cross_entropy(self.net.colors(states).float().flatten(0, 1), colors)
            loss = loss + weight * (kind + 0.5 * color)
            shown |= {"kind": kind.detach(), "color": color.detach()}
        return loss, shown

    def kept(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}


@torch.no_grad()
def standing(rows: Tensor) -> tuple[Tensor, Tensor]:
    """int64 [B, codes] twice: 1 + class and 1 + colour (1: natural) of the thing whose box holds a code's middle; 0: none."""
    things, places = things_of(rows), boxes(rows)
    middle = (torch.arange(SECOND.side, device=rows.device) + 0.5) * (SIDE / SECOND.side)
    inside = [
        (middle - places[..., i, None]).abs() <= places[..., i + 2, None] / 2 for i in (0, 1)
    ]  # [B, things, side] each way
    held = (inside[1][..., :, None] & inside[0][..., None, :]).flatten(2) & (things[..., :1] >= 0)
    which = held.int().argmax(1)
    there = held.any(1)
    kinds, colors = (things[..., i].long().gather(1, which) for i in (0, 1))
    return torch.where(there, kinds + 1, 0), torch.where(there, colors + 1, 0)


def trained(rng: Random) -> tuple[Scene, str]:
    """A scene and a caption that may be shown."""
    (task,) = rng.choices(TASKS, [WEIGHTS[t] for t in TASKS])
    while True:
        scene = draw_scene(task, rng)
        caption, _ = describe(scene, rng)
        if not held_out(scene, caption):
            return scene, caption


def main() -> None:
    """Train as far as the options allow, and write the weights."""
    line = parser(__doc__ or "", "runs/world2")
    line.add_argument("--vq", type=Path, help="weights of world-vq2; by default those in --work")
    read = line.parse_args()
    given = options(read)
    given.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(given.seed)
    job = ARJob(given.device, read.vq or given.work / "world_vq2.safetensors")
    training = Training(job, PRESETS[torch.device(given.device).type], given)
    ended = training.run()
    path = given.work / "world_ar2.safetensors"
    mean = {name.removeprefix("net."): value for name, value in training.mean.items() if name.startswith("net.")}
    save_file(narrowed(mean), path, training.facts())
    print(f"{path}: {path.stat().st_size} bytes")
    training.leave(ended)


if __name__ == "__main__":
    main()
