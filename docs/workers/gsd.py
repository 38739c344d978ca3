"""GSD on Lumina-mGPT-7B-768. evalkit generate --model "command:ENV/bin/python gsd.py path/to/GSD" ..."""

import os
import random
import sys

import numpy
import torch
from worker_loop import serve

SIDE, AHEAD = 768, 16
FIXED = {"guidance": 3.0, "temperature": 1.0, "top_k": 2000}


def load(repository):
    os.chdir(repository)  # where it looks for Chameleon's tokenizer
    sys.path[:0] = [os.getcwd(), os.path.join(os.getcwd(), "lumina_mgpt")]
    from lumina_mgpt.inference_solver import FlexARInferenceSolver
    from scheduler.jacobi_iteration_lumina_mgpt import renew_pipeline_sampler

    name = "Alpha-VLLM/Lumina-mGPT-7B-768"
    solver = FlexARInferenceSolver(model_path=name, precision="bf16", target_size=SIDE, cache_dir=None, device="cuda:0")
    return renew_pipeline_sampler(
        solver,
        jacobi_loop_interval_l=3,
        jacobi_loop_interval_r=(SIDE // 16) ** 2 + SIDE // 16 - 10,
        max_num_new_tokens=AHEAD,
        guidance_scale=3.0,
        seed=None,
        multi_token_init_scheme="random",
        do_cfg=True,
        image_top_k=2000,
        text_top_k=10,
        prefix_token_sampler_scheme="speculative_jacobi",
    )


def draw(solver, prompt, seed):
    for seeding in (random.seed, numpy.random.seed, torch.manual_seed):
        seeding(seed)
    solver.model.seed = seed
    asked = f"Generate an image of {SIDE}x{SIDE} according to the following prompt:\n{prompt}"
    processors = solver.create_logits_processor(cfg=3.0, image_top_k=2000)
    limits = {"max_gen_len": 8192, "temperature": 1.0, "logits_processor": processors}
    return solver.generate(images=[], qas=[[asked, None]], **limits)[1][0]


if __name__ == "__main__":
    serve(load, draw, FIXED)
