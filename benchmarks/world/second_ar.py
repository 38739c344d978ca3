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
from torch import Tensor

from evalkit.generators.world_ar import SECOND
from evalkit.world.ar_net import WorldARNet
from evalkit.world.second.captions import describe, held_out
from evalkit.world.second.int8 import narrowed
from evalkit.world.second.pack import pack
from evalkit.world.second.scene import TASKS, Scene, draw_scene
from evalkit.world.second.vq_net import CONFIG, WorldVQ2Net
from evalkit.world.second.words import lexicon
from evalkit.world.text import PAD

PRESETS = {"cpu": Preset(32, 1e-3, 400, decay=0.05), "cuda": Preset(256, 1.2e-3, 400, workers=14, decay=0.05)}
# how often each task is shown; relations, colours of two things and numbers are learned last
WEIGHTS = {"single_object": 2, "colors": 2, "style": 2, "two_object": 2, "negation": 1, "size": 2, "counting": 4,
           "position": 4, "color_natural": 4, "color_attr": 6, "three_objects": 3, "mixed_counts": 5}  # fmt: skip
DROPPED = 0.1


class ARJob:
    """Cross entropy of the codes of scenes under their captions."""

    name = "ar"

    def __init__(self, device: str, vq: Path) -> None:
        self.net = WorldARNet(SECOND).to(device)
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
        logits = self.net(text.long(), tokens)
        loss = F.cross_entropy(logits.float().flatten(0, 1), tokens.flatten())
        return loss, {"bits an image": loss.detach() * tokens.shape[1] / 0.6931472}

    def kept(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}


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
    save_file(narrowed(training.mean), path, training.facts())
    print(f"{path}: {path.stat().st_size} bytes")
    training.leave(ended)


if __name__ == "__main__":
    main()
