"""VAREdit-8B-1024, edits. evalkit generate --model "command:ENV/bin/python varedit.py path/to/VAREdit path/to/WEIGHTS" ..."""

import io
import os
import sys

from worker_loop import serve

SIZE, SIDE = "8B", 1024


def load(repository, weights):
    sys.path.insert(0, repository)
    from infer import load_model

    file = os.path.join(weights, f"{SIZE}-{SIDE}.pth")
    return load_model(pretrain_root=weights, model_path=file, model_size=SIZE, image_size=SIDE)


def draw(parts, prompt, seed, image, guidance=3.0, temperature=0.1):
    from infer import generate_image

    buffer = io.BytesIO()  # it opens a file itself
    image.save(buffer, format="PNG")
    buffer.seek(0)
    return generate_image(parts, buffer, prompt, cfg=guidance, tau=temperature, seed=seed)


if __name__ == "__main__":
    serve(load, draw)
