"""ACDiT-H. evalkit generate --model "command:ENV/bin/python acdit.py path/to/ACDiT path/to/ACDiT-H-img.pt" ..."""

import math
import random
import sys

import numpy
import torch
from worker_loop import as_image, serve


def load(repository, file):
    sys.path.insert(0, repository)
    from diffusers import AutoencoderKL
    from models import ACDiT_models

    saved = torch.load(file, map_location="cpu", weights_only=False)  # it holds the arguments of its training
    told = saved["args"]
    model = ACDiT_models[told.model](
        latent_size=told.vae_latent_size * told.patch_size**2,
        block_size=told.block_size,
        num_classes=1000,
        ar_len=told.ar_len,
        temporal_len=told.num_frames,
        spatial_len=(told.image_size // told.vae_patch_pixels // told.patch_size) ** 2,
        nd_split=told.nd_split,
        square_block=True,
    ).to("cuda")
    model.load_state_dict(saved["model"])
    return told, model, AutoencoderKL.from_pretrained("facebook/DiT-XL-2-256", subfolder="vae").to("cuda")


@torch.no_grad()
def draw(loaded, class_id, seed, guidance=1.5, steps=25):
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    told, model, decoder = loaded
    for seeding in (random.seed, numpy.random.seed, torch.manual_seed):
        seeding(seed)
    scheduler = DPMSolverMultistepScheduler.from_config(DDIMScheduler().config)
    shape = (1, told.ar_len, told.block_size, told.vae_latent_size * told.patch_size**2)
    label = torch.tensor([class_id], device="cuda")
    blocks = model.sample(label, scheduler, steps, cfg=guidance, target_shape=shape, dtype=torch.float)
    rows, inner, patch = math.isqrt(blocks.shape[1]), math.isqrt(told.block_size), told.patch_size
    grid = blocks.reshape(rows, rows, inner, inner, patch, patch, -1)  # a grid of blocks of patches
    latent = grid.permute(6, 0, 2, 4, 1, 3, 5).reshape(1, -1, rows * inner * patch, rows * inner * patch)
    return as_image(decoder.decode(latent / decoder.config.scaling_factor).sample[0], add=0.5)


if __name__ == "__main__":
    serve(load, draw)
