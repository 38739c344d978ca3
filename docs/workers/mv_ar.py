"""MV-AR, four views side by side. evalkit generate --model "command:ENV/bin/python mv_ar.py path/to/MVAR" ..."""

import os
import sys

import numpy
import torch
from worker_loop import as_image, serve

SIDE, CELLS, VIEWS = 256, 16, (0, 4, 8, 12)


def load(repository):
    os.chdir(repository)  # its weights lie in pretrained_models/ here
    sys.path.insert(0, os.getcwd())
    from autoregressive.models.nv_campos_gpt import NVCGPT_models
    from autoregressive.models.t5 import T5Embedder
    from autoregressive.sample.sample_tcam2i_nv_ray_ddp import get_rays
    from tokenizer.tokenizer_image.vq_model import VQ_models

    decoder = VQ_models["VQ-16"](codebook_size=16384, codebook_embed_dim=8).to("cuda").eval()
    decoder.load_state_dict(torch.load("pretrained_models/vq_ds16_tcam2i.pt", map_location="cpu")["model"])
    sizes = {"vocab_size": 16384, "block_size": CELLS * CELLS, "num_classes": 1000, "cls_token_num": 120}
    model = NVCGPT_models["NVCGPT-XL"](**sizes, model_type="t&cam2i", num_viewes=len(VIEWS)).to("cuda", torch.bfloat16)
    saved = torch.load("pretrained_models/text_condition.pt", map_location="cpu")
    state = next(saved[name] for name in ("model", "module", "state_dict") if name in saved)
    model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()}, strict=True)
    model.use_checkpoint = False
    place = {"device": "cuda", "local_cache": True, "cache_dir": "pretrained_models/", "dir_or_name": "flan-t5-xl"}
    text = T5Embedder(**place, torch_dtype=torch.bfloat16, model_max_length=120)
    poses = torch.from_numpy(numpy.load("camera_pose.npy"))[list(VIEWS)].float()
    rays = [get_rays(pose, SIDE, SIDE, 49.1) for pose in poses]
    plucker = torch.stack([torch.cat([torch.cross(start, way, dim=-1), way], -1) for start, way in rays])
    return model.eval(), decoder, text, plucker.permute(0, 3, 1, 2).to("cuda", torch.bfloat16)


@torch.no_grad()
def draw(loaded, prompt, seed, guidance=1.5, temperature=1.0, top_k=100, top_p=1.0):
    from autoregressive.models.generate_nv import generate

    model, decoder, text, rays = loaded
    torch.manual_seed(seed)
    words, mask = text.get_text_embeddings([prompt])
    count = int(mask[0].sum())
    words, mask = torch.cat([words[:, count:], words[:, :count]], 1), mask.flip(-1)  # padded at the left
    cameras = model.cam_patchify(rays).flatten(0, 1)[None].type_as(words)
    settings = {"cfg_scale": guidance, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    given = {"cond_camera": cameras, "emb_masks": mask, "sample_logits": True}
    codes = generate(model, words * mask[:, :, None], CELLS * CELLS * len(VIEWS), **given, **settings)
    views = decoder.decode_code(codes.reshape(len(VIEWS), -1), [len(VIEWS), 8, CELLS, CELLS])
    model.reset_caches(dtype=torch.bfloat16)
    return as_image(torch.cat(list(views), -1), add=1.0)  # it rounds twice


if __name__ == "__main__":
    serve(load, draw)
