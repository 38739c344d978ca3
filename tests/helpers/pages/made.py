"""Inputs that stand for a reader's own: benchmark files, images of a benchmark, captions, cameras, other programs.

Each function makes them below the page's folder; blocks.toml names it.
"""

import csv
import gzip
import json
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
WORKER = """import base64, io, json, sys
from PIL import Image
for line in sys.stdin:
    asked = json.loads(line)
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (asked["seed"] % 256, 90, 60)).save(buffer, "PNG")
    print(json.dumps({"id": asked["id"], "image_base64": base64.b64encode(buffer.getvalue()).decode()}), flush=True)
"""


def _lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def worker(folder):
    """worker.py, and ENV/bin/python, which runs it whatever program it is given."""
    (folder / "worker.py").write_text(WORKER, encoding="utf-8")
    home = folder / "ENV" / "bin"
    home.mkdir(parents=True)
    (home / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/worker.py"\n', encoding="utf-8")
    (home / "python").chmod(0o755)
    _lines(folder / "PROMPTS.jsonl", [{"id": "a", "prompt": "a red cup"}])


def drawn(folder):
    """drawn/ with scenes of the world under the ids of their prompts."""
    from evalkit.world.prompts import world_prompts
    from evalkit.world.render import render_scene

    (folder / "drawn").mkdir()
    for prompt in world_prompts()[:4]:
        Image.fromarray(render_scene(prompt.scene)).save(folder / "drawn" / f"{prompt.id}.png")


def sets(folder):
    """A and B: two sets of scenes that are large enough for two pilots."""
    from evalkit.world.prompts import world_prompts
    from evalkit.world.render import render_scene

    for place, name in enumerate("AB"):
        (folder / name).mkdir()
        for number, prompt in enumerate(world_prompts()[64 * place : 64 * (place + 1)]):
            Image.fromarray(render_scene(prompt.scene)).save(folder / name / f"{number}.png")


def riddles(folder):
    """A suite in WISE's form, its rows and images in RIDDLES, and what people said of them."""
    shutil.copy(ROOT / "benchmarks" / "probe_examples" / "riddles.toml", folder)
    said = (("dog", "culture"), ("clock", "technology"), ("boat", "nature"))
    rows = [{"id": name, "prompt": f"guess {name}", "answer": name, "category": kind} for name, kind in said]
    _lines(folder / "RIDDLES" / "riddles.jsonl", rows)
    people = "".join(f"{name}-00,{0.5 * number}\n" for number, (name, _) in enumerate(said))
    (folder / "people.csv").write_text("id,value\n" + people, encoding="utf-8")
    for number, (name, _) in enumerate(said):
        Image.new("RGB", (32, 32), (80 * number, 90, 60)).save(folder / "RIDDLES" / f"{name}.png")


def geneval(folder):
    """FOLDER in GenEval's layout, detections of a detector, and annotations of people."""
    from evalkit.tasks.probe.geneval.prompts import geneval_prompts

    image = folder / "one.png"
    Image.new("RGB", (16, 16), (90, 120, 60)).save(image)
    rows = []
    for number, prompt in enumerate(geneval_prompts()):
        home = folder / "FOLDER" / f"{number:05d}" / "samples"
        home.mkdir(parents=True)
        (home.parent / "metadata.jsonl").write_text(json.dumps(dict(prompt.metadata)))
        seen = {clause.name: [[0, 0, 9, 9, 0.95]] * clause.count for clause in prompt.include}
        colors = {clause.name: [clause.color or "red"] * clause.count for clause in prompt.include}
        for sample in range(4):
            shutil.copyfile(image, home / f"{sample:04d}.png")
            rows.append(json.dumps({"m": number, "d": seen, "c": colors}) + "\n")
    with gzip.open(folder / "detections.jsonl.gz", "wt") as file:
        file.writelines(rows)
    _annotations(folder / "annotations_if-xl.csv")


def _annotations(path):
    parts = ("color-0", "color-1", "count-0", "count-1", "position-x", "position-y")
    names = ["HITId", "Input.prompt_id", "Input.image_id", "Input.image_url", "Input.caption"]
    names += [*(f"Answer.task-{part}" for part in parts), "Answer.task-objects"]
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, names)
        table.writeheader()
        for prompt in range(6):
            for _ in range(5):
                row = dict.fromkeys(names, "")
                row |= {"HITId": "h", "Input.prompt_id": prompt, "Input.image_id": 0, "Answer.task-count-0": "1"}
                table.writerow({**row, "Answer.task-count-1": "0"})


def chains(folder):
    """CHAINS and OTHER-CHAINS of three rounds, from the same first images."""
    rng = np.random.default_rng(0)
    for chain in range(4):
        pixels = rng.integers(40, 200, (48, 48, 3))
        for name, warmth in (("CHAINS", 3), ("OTHER-CHAINS", 5)):
            home = folder / name / f"c{chain}"
            home.mkdir(parents=True)
            for number in range(3):
                image = Image.fromarray(np.uint8(pixels + number * np.array([warmth, 0, 0])))
                image.save(home / f"{number}.png")


def decoders(folder):
    """diffusion/ and next-scale/ with two generators each, IMAGES to ask about."""
    rng = np.random.default_rng(0)
    for place, kind in enumerate(("diffusion", "next-scale")):
        for number in range(24):
            home = folder / kind / f"g{number % 2}"
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.uint8(rng.integers(100, 110 + 60 * place, (80, 80, 3)))).save(home / f"{number}.png")
    shutil.copytree(folder / "diffusion" / "g0", folder / "IMAGES")


def texts(folder):
    """captions.jsonl, classes.jsonl, model.jsonl, people.jsonl and my-model.jsonl for the images that the page links."""
    names = sorted(path.stem for path in (folder / "PHOTOS").iterdir())
    from evalkit.world.prompts import world_prompts

    captions = [each.caption for each in world_prompts()]
    told = [{"id": name, "prompt": captions[place]} for place, name in enumerate(names)]
    _lines(folder / "captions.jsonl", told)
    _lines(folder / "classes.jsonl", [{"id": name, "class_id": place} for place, name in enumerate(names)])
    for file in ("model.jsonl", "people.jsonl"):
        _lines(folder / file, [{"id": row["id"], "caption": row["prompt"]} for row in told])
    _lines(folder / "my-model.jsonl", [{"id": name, "log_likelihood": -9000.0 - len(name)} for name in names])


def videos(folder):
    """VIDEOS and REAL_VIDEOS: two of sixteen frames each."""
    for name in ("VIDEOS", "REAL_VIDEOS"):
        for number in range(2):
            home = folder / name / f"v{number}"
            home.mkdir(parents=True)
            for frame in range(16):
                Image.new("RGB", (32, 32), (10 * frame, 90, 60)).save(home / f"{frame:03d}.png")


def views(folder):
    """VIEWS of one wall by a camera that moves aside, and cameras.jsonl."""
    wall = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    shown = Image.fromarray(wall).resize((384, 256), Image.Resampling.BICUBIC)
    rows = []
    for number in range(3):
        (folder / "VIEWS" / "a").mkdir(parents=True, exist_ok=True)
        shown.crop((20 * number, 0, 256 + 20 * number, 256)).save(folder / "VIEWS" / "a" / f"{number}.png")
        pose = [[1, 0, 0, -20.0 * number / 256], [0, 1, 0, 0], [0, 0, 1, 0]]
        rows.append({"id": f"a/{number}", "intrinsics": [[256, 0, 128], [0, 256, 128], [0, 0, 1]], "pose": pose})
    _lines(folder / "cameras.jsonl", rows)


def known_key(folder):
    """known.key, which is the same in every run."""
    from helpers.keys import known_key as made_key

    made_key(folder / "known.key")


def arrays(folder):
    """SAMPLES.npz and the reference batch of guided-diffusion: small images as arr_0."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    for name in ("SAMPLES.npz", "VIRTUAL_imagenet256_labeled.npz"):
        np.savez(folder / name, arr_0=pixels)


def results(folder):
    """Files of other programs: a record of Every Eval Ever, and WISE's scores in three parts."""
    detail = {"evaluation_name": "photos: psnr", "source_data": {"dataset_name": "photos"}}
    detail |= {"metric_config": {"lower_is_better": False, "metric_id": "psnr"}, "score_details": {"score": 30.5}}
    record = {"schema_version": "0.3.0", "evaluation_id": "1", "model_info": {"id": "lab/model", "name": "model"}}
    record |= {"source_metadata": {"source_organization_name": "A lab"}, "evaluation_results": [detail]}
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    scores = {"Subcategory": "x", "consistency": 2, "realism": 1, "aesthetic_quality": 1}
    for name, numbers in (("culture", (1, 401)), ("space-time", (401, 701)), ("science", (701, 1001))):
        _lines(folder / f"{name}.jsonl", [{"prompt_id": number, **scores} for number in range(*numbers)])
