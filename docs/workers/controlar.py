"""ControlAR, 512 px. evalkit generate --model "command:ENV/bin/python controlar.py path/to/ControlAR WEIGHTS KIND" ...

KIND is hed (edges are taken from the source image) or seg (the source image is the map of segments).
"""

import os
import sys

import numpy
import torch
from worker_loop import as_image, serve

SIDE, CELLS = 512, 32


def load(repository, weights, kind):
    weights = os.path.abspath(weights)
    os.chdir(repository)  # where checkpoints/ and condition/ckpts lie by its README
    sys.path.insert(0, os.getcwd())
    from autoregressive.models.gpt_t2i import GPT_models
    from condition.hed import HEDdetector
    from language.t5 import T5Embedder
    from safetensors.torch import load_file
    from tokenizer.tokenizer_image.vq_model import VQ_models

    decoder = VQ_models["VQ-16"](codebook_size=16384, codebook_embed_dim=8).to("cuda").eval()
    decoder.load_state_dict(torch.load("checkpoints/vq/vq_ds16_t2i.pt", map_location="cpu")["model"])
    sizes = {"block_size": CELLS * CELLS, "cls_token_num": 120, "model_type": "t2i"}
    model = GPT_models["GPT-XL"](**sizes, condition_type=kind, adapter_size="small").to("cuda", torch.bfloat16)
    model.load_state_dict(load_file(weights), strict=False)
    place = {"device": "cuda", "local_cache": True, "cache_dir": "checkpoints/t5-ckpt", "dir_or_name": "flan-t5-xl"}
    text = T5Embedder(**place, torch_dtype=torch.bfloat16, model_max_length=120)
    return model.eval(), decoder, text, HEDdetector().to("cuda").eval() if kind == "hed" else None


@torch.no_grad()
def draw(loaded, prompt, seed, image, guidance=4.0, temperature=1.0, top_k=2000, top_p=1.0):
    from autoregressive.models.generate import generate

    model, decoder, text, edges = loaded
    torch.manual_seed(seed)
    shown = torch.from_numpy(numpy.array(image.resize((SIDE, SIDE)))).permute(2, 0, 1)[None].to("cuda")
    control = shown if edges is None else edges(shown)[:, None].repeat(1, 3, 1, 1)
    control = 2 * (control / 255 - 0.5)
    words, mask = text.get_text_embeddings([prompt])
    count = int(mask[0].sum())
    words, mask = torch.cat([words[:, count:], words[:, :count]], 1), mask.flip(-1)  # padded at the left
    settings = {"cfg_scale": guidance, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    given = {"condition": control.to(torch.bfloat16), "sample_logits": True, "control_strength": 1.0}
    codes = generate(model, words * mask[:, :, None], CELLS * CELLS, mask, **settings, **given)
    return as_image(decoder.decode_code(codes, [1, 8, CELLS, CELLS])[0], add=0.5)


if __name__ == "__main__":
    serve(load, draw)
