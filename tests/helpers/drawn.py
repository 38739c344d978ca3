"""Folders of GenEval's layout with images of the reference world as its truth says, for tests of probes."""

import json

from PIL import Image

from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene


def drawn(folder, n=24, *, moved=0, size=64):
    """`folder` with the first `n` prompts' images; `moved`: each shows the scene of a prompt so many places on."""
    prompts = world_prompts()[:n]
    for place, prompt in enumerate(prompts):
        home = folder / f"{place:05d}"
        (home / "samples").mkdir(parents=True)
        (home / "metadata.jsonl").write_text(json.dumps(prompt.metadata))
        image = Image.fromarray(render_scene(prompts[(place + moved) % n].scene))
        image.resize((size, size), Image.Resampling.NEAREST).save(home / "samples" / "0000.png")
    return folder
