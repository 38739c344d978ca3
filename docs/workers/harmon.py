"""Harmon-1.5B. evalkit generate --model "command:ENV/bin/python harmon.py path/to/Harmon" ..."""

import os
import sys

import numpy
import torch
from worker_loop import as_image, serve

CONFIG, WEIGHTS = "configs/models/qwen2_5_1_5b_kl16_mar_h.py", "checkpoints/harmon_1.5b.pth"
SIDE = 512


def load(repository):
    os.chdir(repository)  # its configuration looks for checkpoints/kl16.ckpt here
    sys.path.insert(0, os.getcwd())
    from mmengine.config import Config
    from src.builder import BUILDER

    model = BUILDER.build(Config.fromfile(CONFIG).model).eval().cuda()
    model = model.to(model.dtype)
    model.load_state_dict(torch.load(WEIGHTS), strict=False)
    return model


def draw(model, prompt, seed, guidance=3.0, steps=64, temperature=1.0):
    torch.manual_seed(seed)
    numpy.random.seed(seed)  # of the order in which latents are drawn
    conditions = model.prepare_text_conditions(f"Generate an image: {prompt.strip()}.", "Generate an image.")
    pixels = model.sample(
        **conditions,  # input_ids and attention_mask; the second row is the one without a condition
        num_iter=steps,
        cfg=guidance,
        cfg_schedule="constant",
        temperature=temperature,
        image_shape=(SIDE // 16, SIDE // 16),
    )
    return as_image(pixels[0], add=0.5)


if __name__ == "__main__":
    serve(load, draw)
