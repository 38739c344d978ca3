"""How often a template is missed, and how often one is seen where there is none.

    python benchmarks/tables/watermark_template.py --held FOLDER

Leaves watermark-template.csv beside this script. Photographs that chose no setting (those of watermark_peers.py from the
seventh on) get the pattern of four keys at 51 dB, its share of a mark of 40 dB, and are edited. `right`: mirror, scale and
angle are those of the edit; `let_go`: no peak was clear; the others are wrong. `none`: all photographs and textures of the
sample set without a pattern, under 200 keys; there `let_go` is right.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from watermark_peers import CHOSEN, photographs, samples, write

from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.embed.patterned import has_room, patterned
from evalkit.watermark.keys import Key
from evalkit.watermark.template.pose import Pose, found_pose

OUT = Path(__file__).parent
SIZE, KEYS, OTHERS = 10 ** (-51 / 20), 4, 200
EDITS = {  # what is to be undone
    "png": Pose(), "jpeg:30": Pose(), "noise:0.05": Pose(), "blur:2": Pose(), "scale:0.5": Pose(), "shift:7:5": Pose(),
    "brightness:1.3": Pose(), "flip": Pose(flip=True), "rotate:2": Pose(angle=-2), "crop:0.85": Pose(scale=0.85),
    "crop:0.75:random": Pose(scale=0.75), "crop:0.85+jpeg:50": Pose(scale=0.85), "crop:0.85+jpeg:30": Pose(scale=0.85),
    "flip+blur:2": Pose(flip=True), "rotate:2+jpeg:50": Pose(angle=-2), "crop:0.8+noise:0.05": Pose(scale=0.8),
}  # fmt: skip


def key_of(number: int) -> Key:
    """A key by its number."""
    return Key(bytes((number + at) % 256 for at in range(32)))


def right(found: Pose, wanted: Pose) -> bool:
    """Whether a pose is the one that undoes the edit, to a step of the coarsest grid."""
    near = abs(found.scale / wanted.scale - 1) < 0.012 and abs(found.angle - wanted.angle) < 0.8
    return near and found.flip == wanted.flip


def counted(edit: str, poses: list[Pose | None], wanted: Pose | None) -> dict[str, object]:
    """A row of the table."""
    seen = [pose for pose in poses if pose is not None]
    hits = sum(wanted is not None and right(pose, wanted) for pose in seen)
    return {
        "edit": edit,
        "trials": len(poses),
        "right": hits,
        "wrong": len(seen) - hits,
        "let_go": len(poses) - len(seen),
    }


def rows(photos: list[Pixels]) -> Iterator[dict[str, object]]:
    """Of marked photographs by edit, and of unmarked ones."""
    marked = [(patterned(photo, key_of(number), SIZE), number) for photo in photos for number in range(KEYS)]
    for edit, wanted in EDITS.items():
        (attack,) = read_attacks([edit], Options())
        poses = [found_pose(attack.apply(image, number), [key_of(number)]) for image, number in marked]
        yield counted(edit, poses, wanted)
    plain = [each.image for name in ("sample/photos", "sample/textures") for each in samples(name)]
    nothing = [found_pose(image, [key_of(100 + number)]) for image in plain for number in range(OTHERS)]
    yield counted("none", nothing, None)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held", help="a folder of more photographs")
    asked = parser.parse_args()
    held_out = [image for _, held, image in photographs(asked.held)[CHOSEN:] if held and has_room(image)]
    found = list(rows(held_out))
    write(OUT / "watermark-template.csv", found)
    for row in found:
        print(*row.values())


if __name__ == "__main__":
    main()
