"""Emu3.5-Image. evalkit generate --model "command:ENV/bin/python emu3_5.py path/to/Emu3.5 WEIGHTS TOKENIZER" ...

WEIGHTS and TOKENIZER are the folders of BAAI/Emu3.5-Image and BAAI/Emu3.5-VisionTokenizer.
"""

import os
import random
import sys

import numpy
import torch
from worker_loop import serve


def load(repository, weights, tokenizer):
    sys.path.insert(0, repository)
    from configs import example_config_t2i as config  # its seeds and sampling; the image is square here
    from src.utils.model_utils import build_emu3p5

    where = os.path.join(repository, "src/tokenizer_emu3_ibq")
    model, words, decoder = build_emu3p5(
        weights, where, tokenizer, vq_type=config.vq_type, model_device=config.hf_device, vq_device=config.vq_device
    )
    config.target_height = config.target_width = 64
    config.special_token_ids = {name: words.encode(text)[0] for name, text in config.special_tokens.items()}
    return config, model, words, decoder


def draw(loaded, prompt, seed, guidance=5.0, temperature=1.0, top_k=5120, top_p=1.0):
    from src.utils.generation_utils import generate, multimodal_decode

    config, model, words, decoder = loaded
    for seeding in (random.seed, numpy.random.seed, torch.manual_seed):
        seeding(seed)
    config.classifier_free_guidance = guidance
    config.sampling_params.update(image_temperature=temperature, image_top_k=top_k, image_top_p=top_p)
    texts = config.template.format(question=prompt), config.unc_prompt
    ids, free = (words.encode(t, return_tensors="pt", add_special_tokens=False).to(model.device) for t in texts)
    if ids[0, 0] != (first := config.special_token_ids["BOS"]):
        ids = torch.cat([torch.full_like(ids[:, :1], first), ids], 1)
    (tokens,) = generate(config, model, words, ids, free, None, True)
    made = multimodal_decode(words.decode(tokens, skip_special_tokens=False), words, decoder)
    return next(each for kind, each in made if kind == "image")


if __name__ == "__main__":
    serve(load, draw)
