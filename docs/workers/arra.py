"""ARRA, chest X-rays. evalkit generate --model "command:ENV/bin/python arra.py path/to/ARRA path/to/Lumina-mGPT-7B-768" ..."""

import os
import random
import sys

import numpy
import torch
from worker_loop import serve


def load(repository, words):
    words = os.path.abspath(words)
    os.chdir(os.path.join(repository, "arra"))  # where it looks for Chameleon's tokenizer
    sys.path[:0] = [os.getcwd(), os.path.dirname(os.getcwd())]
    import inference_solver

    made = inference_solver.FlexARItemProcessor  # its solver names a folder of the authors' machine for the words
    inference_solver.FlexARItemProcessor = lambda target_size, tokenizer: made(target_size=target_size, tokenizer=words)
    return inference_solver.FlexARInferenceSolver("xing0916/ARRA-Adapt-MIMIC-7B", precision="bf16", target_size=512)


def draw(solver, prompt, seed, guidance=4.0, temperature=1.0, top_k=2000):
    for seeding in (random.seed, numpy.random.seed, torch.manual_seed):
        seeding(seed)
    _, images = solver.generate(
        images=[],
        qas=[[prompt, None]],
        max_gen_len=8192,
        temperature=temperature,
        logits_processor=solver.create_logits_processor(cfg=guidance, image_top_k=top_k),
    )
    return images[0]


if __name__ == "__main__":
    serve(load, draw)
