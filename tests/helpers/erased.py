"""Pairs of the reference world and folders of rendered images, as an eraser of dogs might leave them."""

from pathlib import Path

from PIL import Image

from evalkit.erasure.pairs.pair import Pair, write_pairs
from evalkit.world.captions import read_caption
from evalkit.world.render import render_scene
from evalkit.world.scene import Scene, Thing
from evalkit.world.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS, with_article

OTHERS = tuple(name for name in CLASS_NAMES if name not in ("dog", "scissors"))


def pairs(count=20):
    """`count` direct pairs and as many of synonyms and compositions, each in other colours, on other grounds."""
    looks = [(color, ground) for ground in GROUNDS for color in COLOR_NAMES]
    found = []
    for i in range(count):
        color, ground = looks[i % len(looks)]
        other = OTHERS[i % len(OTHERS)]
        for stratum, word in (("direct", "dog"), ("synonym", "puppy")):
            texts = [f"a photo of {with_article(f'{color} {name}')} on a {ground} background" for name in (word, other)]
            found.append(Pair(*texts, "object", stratum, "test", "dog", "t", "test"))
        texts = [
            f"a scene with {with_article(name)} and a {color} cup on a {ground} background" for name in ("dog", "clock")
        ]
        found.append(Pair(*texts, "object", "compositional", "test", "dog", "t", "test"))
    return tuple(found)


def written(folder, count=20):
    """The file of the pairs."""
    path = Path(folder) / "dog.jsonl"
    write_pairs(path, pairs(count))
    return path


def drawn(caption, change=lambda name, caption: name):
    """The image that a caption asks for, with `change`d classes; None takes a thing away."""
    demand = read_caption(caption)
    names = [change(wanted.name, caption) for wanted in demand.wanted]
    things = tuple(
        Thing(name, wanted.color, 32 * i, 8)
        for i, (name, wanted) in enumerate(zip(names, demand.wanted, strict=True))
        if name
    )
    return render_scene(Scene("colors", demand.ground or "white", things))


def images(folder, items, change=lambda name, caption: name):
    """A folder with one image of each item, under its number."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    for number, item in enumerate(items):
        Image.fromarray(drawn(item.prompt, change)).save(folder / f"{number:05d}_0.png")
    return folder
