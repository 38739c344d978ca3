"""Photoconsistent-NVS. evalkit generate --model "command:ENV/bin/python photoconsistent_nvs.py path/to/REPOSITORY VIDEOS" ...

The source image is the first view (256 px), the prompt a trajectory, such as custom-trajectories/orbit.json of the
repository. All views are written to VIDEOS/TRAJECTORY-SEED; the image is the last one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from worker_loop import serve

SEEDED = (  # the script as it stands, behind a seed
    "import random, numpy, runpy, sys, torch; seed = int(sys.argv.pop(1)); "
    "[each(seed) for each in (random.seed, numpy.random.seed, torch.manual_seed)]; "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)

FIXED = {"steps": 2000}


def load(repository, videos):
    return Path(repository).resolve(), Path(videos).resolve()


def draw(loaded, prompt, seed, image):
    repository, videos = loaded
    name = f"evalkit-{os.getpid()}"
    scene = repository / "instance-data" / "samples" / name
    try:
        for part in ("init-ims", "samples"):
            (scene / part).mkdir(parents=True)
        image.resize((256, 256)).save(scene / "init-ims" / "0000.png")
        shutil.copy(repository / prompt, scene / "sampling-spec.json")
        script = [sys.executable, "-c", SEEDED, str(seed), "scripts/sample-trajectory.py", "-o", f"samples/{name}"]
        subprocess.run(script, cwd=repository / "src", check=True, stdout=sys.stderr)
        target = videos / f"{Path(prompt).stem}-{seed}"
        shutil.copytree(scene / "samples" / "00000000" / "images", target, dirs_exist_ok=True)
    finally:
        shutil.rmtree(scene, ignore_errors=True)
    return Image.open(sorted(target.glob("*.png"))[-1]).convert("RGB")


if __name__ == "__main__":
    serve(load, draw, FIXED)
