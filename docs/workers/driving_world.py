"""DrivingWorld. evalkit generate --model "command:ENV/bin/python driving_world.py path/to/DrivingWorld VIDEOS" ...

A prompt names a clip, a folder in data/ of the repository with 15 frames, pose.npy and yaw.npy. Its continuation is
written to VIDEOS/CLIP as numbered frames, which `evalkit score --metrics fvd` reads; the image is the last frame.
"""

import os
import random
import sys
from pathlib import Path

import numpy
import torch
from worker_loop import as_image, serve

FRAMES = 150


def load(repository, videos):
    videos = Path(videos).resolve()
    os.chdir(repository)  # its configuration looks for weights and clips here
    sys.path.insert(0, os.getcwd())
    from datasets.dataset_demo import DemoTest
    from models.model import TrainTransformers
    from modules.tokenizers.model_tokenizer import Tokenizer
    from utils.config_utils import Config
    from utils.running import load_parameters

    told = Config.fromfile("configs/drivingworld_v1/gen_videovq_conf_demo.py")
    model = TrainTransformers(told, local_rank=0, condition_frames=told.condition_frames)
    model.model = load_parameters(model.model, torch.load("pretrained_models/world_model.pth", map_location="cpu"))
    return told, model.eval().cuda(), Tokenizer(told, 0), DemoTest("data"), videos


@torch.no_grad()
def draw(loaded, prompt, seed, temperature=1.0, top_k=30):
    told, model, tokenizer, clips, videos = loaded
    for seeding in (random.seed, numpy.random.seed, torch.manual_seed):
        seeding(seed)
    frames, *moves = clips[clips.video_path_list.index(prompt)]
    seen, look = told.condition_frames, tokenizer.vq_model.quantize.embedding
    frames = frames[None, :seen].cuda()
    codes = tokenizer.encode_to_z(torch.cat([frames, torch.zeros_like(frames[:, :1])], 1))[0][:, :seen]
    pose, yaw = (torch.cat([m, m[-1:].repeat(FRAMES + 1, 1)])[None].cuda() for m in moves)  # the last move goes on
    rules = {"sampling_mtd": "top_k", "temperature_k": temperature, "top_k": top_k, "temperature_p": 1.0, "top_p": 0.8}
    folder = videos / prompt
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(FRAMES):
        pose[:, number], yaw[:, number] = 0.0, 0.0  # the first one of the window
        now, then = slice(number, number + seen), slice(number + seen, number + seen + 1)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            places = (pose[:, now], yaw[:, now], pose[:, then], yaw[:, then])
            found = model.generate_gt_pose_gt_yaw(codes, look(codes), *places, look, **rules)
        window = torch.cat([codes.reshape(seen, *found.shape[-2:]), found[-1:]])
        image = as_image(2 * tokenizer.z_to_clips(window)[0] - 1)
        image.save(folder / f"{number:04d}.png")
        codes = torch.cat([codes[:, 1:], found[-1:].flatten(1)[None]], 1)
    return image


if __name__ == "__main__":
    serve(load, draw)
