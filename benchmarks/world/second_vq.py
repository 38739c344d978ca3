"""Train world-vq2, the tokenizer of the second world; images are drawn on the device, half of them crowded.

    python benchmarks/world/second_vq.py --steps 20000 --minutes 60 --work runs/world2       # a CPU, an hour at a time
    python benchmarks/world/second_vq.py --device cuda --fit 3.5 --work runs/world2          # a GPU

The loss is that of world-vq (train_vq.py) and, from a fifth of the schedule on, the distance of the codes that an image
has after decoding and rounding from those it was decoded from, so that codes survive: half of the images are rounded to
levels, half go through JPEG. Writes world_vq2.safetensors (float16) into --work, also when the schedule has not ended.
"""

from __future__ import annotations

from random import Random

import torch
import torch.nn.functional as F
from second_detector import jpeg
from second_loop import Preset, Training, options, parser, write_half
from torch import Tensor
from train_vq import Codes, loss_of, spread

from evalkit.world.second.pack import pack
from evalkit.world.second.render import render
from evalkit.world.second.scene import SIDE, TASKS, crowded, draw_scene
from evalkit.world.second.vq_net import CONFIG, WorldVQ2Net

PRESETS = {"cpu": Preset(16, 1.5e-3, 100), "cuda": Preset(256, 2e-3, 200, workers=12)}
POOL = 24  # batches of 16 images whose features the codes start from
GRID = (SIDE // 8, SIDE // 8)


class VQJob:
    """Reconstruction, commitment to codes that are running means, and codes that survive what files do to images."""

    name = "vq"

    def __init__(self, device: str, seed: int, free: int) -> None:
        self.net = WorldVQ2Net(CONFIG).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.codes, self.seed, self.free = Codes(self.net.codebook), seed, free

    def draw(self, rng: Random, size: int) -> tuple[Tensor, ...]:
        """Rows of scenes."""
        return (
            pack([crowded(rng) if rng.random() < 0.5 else draw_scene(rng.choice(TASKS), rng) for _ in range(size)]),
        )

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, float | Tensor]]:
        """See the class."""
        x = images_of(batch[0])
        z = self.net.encoder(x)
        if step == self.free:
            self._start_codes(x.device)
        with torch.no_grad():
            indices = nearest(self.net, z)
            q = self.net.lookup(indices, GRID) if step >= self.free else z.detach()
        y = self.net.decoder(z + (q - z).detach()).float()
        loss = loss_of(y, x) + 0.25 * F.mse_loss(z, q) * z.shape[1]
        shown: dict[str, float | Tensor] = {"psnr": -10 * torch.log10(F.mse_loss(y.detach().clamp(-1, 1), x) / 4)}
        if step >= self.free:
            flat = z.detach().permute(0, 2, 3, 1).flatten(0, 2)
            self.codes.update(flat, indices.flatten(), revive=progress < 0.7)
            shown["used"] = torch.unique(indices).numel()
            if progress > 0.2:
                again = self.net.encoder(kept_by_files(y.detach()))
                loss = loss + F.mse_loss(again, q) * z.shape[1]
                with torch.no_grad():
                    shown["same"] = (nearest(self.net, again) == indices).float().mean()
        return loss, shown

    def kept(self) -> dict[str, Tensor]:
        """The sums that the codes are means of."""
        return {"count": self.codes.count, "total": self.codes.total}

    @torch.no_grad()
    def _start_codes(self, device: torch.device) -> None:
        """Codes that are spread over the features of images of all kinds."""
        pools = [self.draw(Random(f"pool-{self.seed}-{i}"), 16)[0].to(device) for i in range(POOL)]
        pool = torch.cat([self.net.encoder(images_of(rows)) for rows in pools])
        self.codes.total.copy_(spread(pool.permute(0, 2, 3, 1).flatten(0, 2).float(), len(self.codes.count)))
        self.codes.count.fill_(1.0)
        self.net.codebook.copy_(self.codes.total)


def nearest(net: WorldVQ2Net, z: Tensor) -> Tensor:
    """Codes of features, searched in float32 as the tokenizer does."""
    with torch.autocast(z.device.type, enabled=False):
        return net.indices(z)


def images_of(rows: Tensor) -> Tensor:
    """float32 [B, 3, SIDE, SIDE] in [-1, 1]."""
    with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
        return (render(rows) / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def kept_by_files(y: Tensor) -> Tensor:
    """Images in [-1, 1] as 8-bit files keep them, one half as they are and the other as JPEG of quality 65 to 95."""
    levels = ((y.clamp(-1, 1) + 1) * 127.5).round()
    coarse = 0.1 + 0.6 * torch.rand(len(y), 1, 1, 1, device=y.device)
    lossy = torch.rand(len(y), 1, 1, 1, device=y.device) < 0.5
    levels = torch.where(lossy, jpeg(levels, coarse).round().clamp(0, 255), levels)
    return (levels / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def main() -> None:
    """Train as far as the options allow, and write the weights."""
    line = parser(__doc__ or "", "runs/world2")
    line.add_argument(
        "--free", type=int, default=250, help="steps without quantisation, so that codes start from features"
    )
    read = line.parse_args()
    given = options(read)
    given.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(given.seed)
    training = Training(VQJob(given.device, given.seed, read.free), PRESETS[torch.device(given.device).type], given)
    ended = training.run()
    state = dict(training.mean)
    state["codebook"] = F.normalize(state["codebook"], dim=1)
    write_half(state, given.work / "world_vq2.safetensors", training.facts())
    training.leave(ended)


if __name__ == "__main__":
    main()
