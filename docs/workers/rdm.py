"""RDM and RARM (no commercial use). evalkit generate --model "command:ENV/bin/python rdm.py path/to/REPOSITORY FOLDER KIND" ...

FOLDER holds model.ckpt and config.yaml; KIND is rdm or rarm.
"""

import os
import sys
from argparse import Namespace
from pathlib import Path

import torch
from worker_loop import as_image, serve


def load(repository, folder, kind):
    folder = Path(folder).resolve()
    os.chdir(repository)  # its configuration looks for the databases here
    sys.path.insert(0, os.getcwd())
    from importlib import import_module

    loader = import_module(f"scripts.{kind}_sample").load_model
    return kind, loader(Namespace(model_path=folder, save_nns=False, gpu=0))


@torch.no_grad()
def draw(loaded, seed, prompt=None):
    from clip import tokenize
    from pytorch_lightning import seed_everything

    kind, model = loaded
    seed_everything(seed)
    words = None
    if prompt is not None:
        words = model.retriever.retriever.model.encode_text(tokenize([prompt]).to(model.device)).cpu()
    near = {"k_nn": 4, "return_nns": False, "use_weights": False}
    if kind == "rarm":
        made = model.sample_from_rdata(
            1, qids=None, query_embeddings=words, nn_embeddings=None, memsize=0.01, top_k=256, temperature=1.0,
            guidance_scale=1.0, callback=lambda step: None, **near,
        )  # fmt: skip
        return as_image(made["samples_with_sampled_nns"][0].clamp(-1, 1))
    steps = {"unconditional_guidance_scale": 2.0, "ddim_steps": 100, "ddim": True}
    steps["unconditional_retro_guidance_label"] = 0.0
    if words is None:
        made = model.sample_from_rdata(1, qids=None, memsize=0.01, **near, **steps)
        return as_image(made["samples_with_sampled_nns"][0].clamp(-1, 1))
    made = model.sample_with_query(
        query=words, query_embedded=True, visualize_nns=False, omit_query=False, **near, **steps
    )
    return as_image(next(each for each in made.values() if each.ndim == 4)[0].clamp(-1, 1))


if __name__ == "__main__":
    serve(load, draw)
