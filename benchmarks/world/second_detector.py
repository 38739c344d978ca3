"""Train the second world's detector, and measure it on fresh scenes, clean and harmed.

    python benchmarks/world/second_detector.py --steps 6000 --work runs/world2              # a CPU
    python benchmarks/world/second_detector.py --device cuda --fit 1.5 --work runs/world2    # a GPU
    python benchmarks/world/second_detector.py --measure runs/world2/world_detector2.safetensors

Writes world_detector2.safetensors (float16) into --work, also when the schedule has not ended, and with --measure
results/second-detector.csv: the share of scenes in which everything is read exactly, and that of verdicts that are right.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from second_loop import Preset, Training, options, parser, write_half
from torch import Tensor

from evalkit.images.sample import Pixels
from evalkit.stats.intervals import mean_interval
from evalkit.world.captions import Demand
from evalkit.world.detector import Seen
from evalkit.world.judge import verdict
from evalkit.world.second.captions import describe
from evalkit.world.second.detect_net import STRIDE, DetectorConfig, DetectorNet
from evalkit.world.second.detector import detect_all, load_network
from evalkit.world.second.pack import pack, things_of
from evalkit.world.second.render import boxes, render, render_scenes
from evalkit.world.second.scene import SIDE, TASKS, Scene, crowded, draw_scene

PRESETS = {"cpu": Preset(32, 2e-3, 100), "cuda": Preset(256, 3e-3, 200, workers=12)}
RESULT = Path(__file__).parent / "results" / "second-detector.csv"
CROWDED = 0.35  # share of images with three to five unlike things
SHOWN = (*TASKS, *["style"] * 6, "colors", "color_attr", "size")  # what is learned last is shown more often
CELLS = SIDE // STRIDE


class DetectorJob:
    """Crowded scenes and scenes of all tasks; half of them with noise, blur or JPEG's loss."""

    name = "detector"

    def __init__(self, device: str) -> None:
        self.net = DetectorNet(DetectorConfig()).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def draw(self, rng: Random, size: int) -> tuple[Tensor, ...]:
        """Rows of scenes."""
        kinds = [rng.random() < CROWDED for _ in range(size)]
        return (pack([crowded(rng) if many else draw_scene(rng.choice(SHOWN), rng) for many in kinds]),)

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Focal loss of the centres, and what else is said at them."""
        (rows,) = batch
        with torch.no_grad():
            images = harmed(render(rows)).contiguous(memory_format=torch.channels_last)
        answers = self.net(images)
        things, places, images_of, target = targets(rows)
        centres = focal(answers.classes, target) / len(things)
        colors = F.cross_entropy(at(answers.colors, images_of, places), things[:, 1].long())
        box = F.l1_loss(at(answers.boxes, images_of, places), box_targets(rows)[0])
        ground, style = (
            F.cross_entropy(answers.grounds, rows[:, 1].long()),
            F.cross_entropy(answers.styles, rows[:, 2].long()),
        )
        loss = centres + colors + 0.5 * box + 0.3 * (ground + style)
        return loss, {"centres": centres.detach(), "colors": colors.detach(), "box": box.detach()}

    def kept(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}


def harmed(images: Tensor) -> Tensor:
    """A quarter as it is, a quarter with noise, a quarter after JPEG, the rest with both or blurred; levels 0..255."""
    kind = torch.randint(0, 5, (len(images), 1, 1, 1), device=images.device)
    noise = (
        torch.randn(images.shape, device=images.device) * 14 * torch.rand(len(images), 1, 1, 1, device=images.device)
    )
    coarse = 0.15 + 2.2 * torch.rand(len(images), 1, 1, 1, device=images.device)
    x = torch.where((kind == 1) | (kind == 4), images + noise, images)
    x = torch.where((kind == 2) | (kind == 4), jpeg(x, coarse), x)
    return torch.where(kind == 3, F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1), x).clamp(0, 255)


# the quantisation tables of the JPEG standard (ITU-T T.81, annex K), luma and chroma
_LUMA = (16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
         87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
         72, 92, 95, 98, 112, 100, 103, 99)  # fmt: skip
_CHROMA = (17, 18, 24, 47, 18, 21, 26, 66, 24, 26, 56, 99, 47, 66, 99, 99)  # its top left quarter; the rest is 99


def jpeg(images: Tensor, coarse: Tensor) -> Tensor:
    """Images as JPEG keeps them: chroma halved, blocks of 8 x 8 rounded to `coarse` [B, 1, 1, 1] times the tables."""
    red, green, blue = torch.split(images, 1, 1)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = F.avg_pool2d(torch.cat([(blue - y) * 0.564, (red - y) * 0.713], 1), 2)
    luma = torch.tensor(_LUMA, device=images.device, dtype=torch.float32).view(8, 8)
    table = torch.full((8, 8), 99.0, device=images.device)
    table[:4, :4] = torch.tensor(_CHROMA, device=images.device, dtype=torch.float32).view(4, 4)
    y = _rounded(y - 128, luma, coarse) + 128
    chroma = F.interpolate(_rounded(chroma, table, coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
    cb, cr = chroma[:, :1], chroma[:, 1:]
    return torch.cat([y + 1.403 * cr, y - 0.344 * cb - 0.714 * cr, y + 1.773 * cb], 1)


def _rounded(x: Tensor, table: Tensor, coarse: Tensor) -> Tensor:
    n = torch.arange(8, device=x.device, dtype=torch.float32)
    waves = torch.cos((2 * n + 1) * n[:, None] * torch.pi / 16) * torch.where(n == 0, 0.125, 0.25).sqrt()[:, None]
    with torch.autocast(x.device.type, enabled=False):
        blocks = x.float().unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
        step = (table * coarse[..., None, None]).clamp(min=1)
        kept = ((waves @ blocks @ waves.T) / step).round() * step
        return (waves.T @ kept @ waves).transpose(3, 4).flatten(4, 5).flatten(2, 3)


def targets(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Things [n, fields], their cells [n], the numbers of their images [n], and the map of centres [B, classes, cells]."""
    things = things_of(rows)
    images_of, slots = (things[..., 0] >= 0).nonzero(as_tuple=True)
    there = things[images_of, slots]
    x, y, size = (there[:, i].float() / STRIDE for i in (2, 3, 4))
    column, row = x.floor().clamp(0, CELLS - 1), y.floor().clamp(0, CELLS - 1)
    along = torch.arange(CELLS, device=rows.device)
    squared = (along - row[:, None]).square()[:, :, None] + (along - column[:, None]).square()[:, None]
    bump = torch.exp(-squared / (2 * (0.12 * size).square())[:, None, None]).flatten(1)
    target = torch.zeros(len(rows) * DetectorConfig.classes, CELLS**2, device=rows.device)
    index = images_of * DetectorConfig.classes + there[:, 0]
    target.scatter_reduce_(0, index[:, None].expand_as(bump), bump, "amax")
    return there, (row * CELLS + column).long(), images_of, target.view(len(rows), -1, CELLS**2)


def box_targets(rows: Tensor) -> tuple[Tensor, Tensor]:
    """[n, 4] in cells: offset of the centre from the middle of its cell, width and height; and the pixels they are from."""
    found = boxes(rows)[things_of(rows)[..., 0] >= 0] / STRIDE
    middle = found[:, :2].floor().clamp(0, CELLS - 1) + 0.5
    return torch.cat([found[:, :2] - middle, found[:, 2:]], 1), found * STRIDE


def at(maps: Tensor, images_of: Tensor, places: Tensor) -> Tensor:
    """[n, channels] of maps [B, channels, h, w] at cells [n] of images [n]."""
    return maps.flatten(2)[images_of, :, places]


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """The summed focal loss of CornerNet and CenterNet (exponents 2 and 4)."""
    logits = logits.flatten(2)
    share, right = logits.sigmoid(), target == 1
    hit = F.logsigmoid(logits) * (1 - share).square()
    miss = F.logsigmoid(-logits) * share.square() * (1 - target).pow(4)
    return -torch.where(right, hit, miss).sum()


def _jpeg_file(pixels: Pixels, quality: int) -> Pixels:
    coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def _noisy(pixels: Pixels, sigma: float, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


HARMS: dict[str, Callable[[Pixels, int], Pixels]] = {
    "none": lambda x, i: x,
    "noise 10": lambda x, i: _noisy(x, 10, i),
    "jpeg 50": lambda x, i: _jpeg_file(x, 50),
    "noise 10 + jpeg 50": lambda x, i: _jpeg_file(_noisy(x, 10, i), 50),
}


def exact(scene: Scene, seen: Seen) -> bool:
    """Whether classes, colours and style are all read, and nothing else is; a faint gradient looks plain to anyone."""
    truth = sorted((t.name, t.color or "") for t in scene.things)
    return truth == sorted((t.name, t.color or "") for t in seen.things) and scene.style == seen.style


def measure(weights: Path, each: int, device: str, seed: str = "second-detector-test") -> list[dict[str, object]]:
    """A row for each harm and task; the scenes are none of training's."""
    network = load_network(weights).to(device)
    drawn: dict[str, list[tuple[Scene, Demand, Pixels]]] = {}
    for task in TASKS:
        rng = Random(f"{seed}-{task}")
        scenes = [draw_scene(task, rng) for _ in range(each)]
        demands = [describe(scene, rng)[1] for scene in scenes]
        drawn[task] = list(zip(scenes, demands, render_scenes(scenes), strict=True))
    rows = []
    for harm, change in HARMS.items():
        right: dict[str, list[tuple[bool, bool]]] = {}
        for task, made in drawn.items():
            seen = detect_all([change(image, i) for i, (*_, image) in enumerate(made)], network)
            right[task] = [(exact(s, w), verdict(d, w).correct) for (s, d, _), w in zip(made, seen, strict=True)]
        right["all"] = [pair for pairs in right.values() for pair in pairs]
        rows += [_row(harm, task, pairs) for task, pairs in right.items()]
    return rows


def _row(harm: str, task: str, pairs: Sequence[tuple[bool, bool]]) -> dict[str, object]:
    row: dict[str, object] = {"harm": harm, "task": task, "n": len(pairs)}
    for name, values in zip(("exact", "verdict"), zip(*pairs, strict=True), strict=True):
        share = mean_interval(values)
        row |= {
            name: round(share.value, 4),
            f"{name}_low": round(share.low or 0, 4),
            f"{name}_high": round(share.high or 0, 4),
        }
    return row


def main() -> None:
    """Train, or measure."""
    line = parser(__doc__ or "", "runs/world2")
    line.add_argument("--measure", type=Path, help="weights to measure; nothing is trained")
    line.add_argument("--each", type=int, default=250, help="fresh scenes of each task and harm")
    line.add_argument("--out", type=Path, default=RESULT, help="CSV of the measurement")
    given = line.parse_args()
    if given.measure:
        rows = measure(given.measure, given.each, given.device)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with given.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        for row in rows:
            if row["task"] == "all":
                print(row)
        return
    chosen = options(given)
    chosen.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(chosen.seed)
    training = Training(DetectorJob(chosen.device), PRESETS[torch.device(chosen.device).type], chosen)
    ended = training.run()
    write_half(training.mean, chosen.work / "world_detector2.safetensors", training.facts())
    training.leave(ended)


if __name__ == "__main__":
    main()
