"""Lumina-mGPT 2.0. evalkit generate --model "command:ENV/bin/python lumina_mgpt_2.py path/to/Lumina-mGPT-2.0" ..."""

import os
import sys

from worker_loop import serve

SIDE = 768


def load(repository):
    home = os.path.abspath(repository)
    sys.path[:0] = [os.path.join(home, "lumina_mgpt"), home]
    os.chdir(os.path.join(home, "lumina_mgpt"))  # where its scripts run and look for the MoVQGAN
    from inference_solver import FlexARInferenceSolver

    return FlexARInferenceSolver(model_path="Alpha-VLLM/Lumina-mGPT-2.0", precision="bf16")


def draw(solver, prompt, seed, guidance=4.0, temperature=1.0, top_k=4096):
    from xllmx.util.misc import random_seed

    random_seed(seed)
    asked = f"Generate an image of {SIDE}x{SIDE} according to the following prompt:\n{prompt}"
    _, images = solver.generate(
        images=[],
        qas=[[asked, None]],
        max_gen_len=10240,
        temperature=temperature,
        logits_processor=solver.create_logits_processor(cfg=guidance, image_top_k=top_k),
    )
    return images[0]


if __name__ == "__main__":
    serve(load, draw)
