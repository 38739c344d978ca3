"""M-VAR-d32. evalkit generate --model "command:ENV/bin/python m_var.py path/to/MVAR path/to/WEIGHTS" ..."""

import sys

import torch
from worker_loop import as_image, serve

SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)


def load(repository, weights):
    sys.path.insert(0, repository)
    from models import build_vae_mvar

    sizes = {"V": 4096, "Cvae": 32, "ch": 160, "share_quant_resi": 4, "num_classes": 1000, "depth": 32}
    decoder, model = build_vae_mvar(**sizes, device="cuda", patch_nums=SCALES, shared_aln=False)
    for part, file in ((decoder, "vae_ch160v4096z32.pth"), (model, "d32.pth")):
        part.load_state_dict(torch.load(f"{weights}/{file}", map_location="cpu"), strict=True)
        part.eval().requires_grad_(False)
    return model


@torch.inference_mode()
def draw(model, class_id, seed, guidance=1.5, top_k=900, top_p=0.96):
    label = torch.tensor([class_id], device="cuda")
    settings = {"cfg": guidance, "top_k": top_k, "top_p": top_p, "more_smooth": False}
    with torch.autocast("cuda", dtype=torch.float16):
        pixels = model.autoregressive_infer_cfg(B=1, label_B=label, g_seed=seed, **settings)
    return as_image(2 * pixels[0].float() - 1)


if __name__ == "__main__":
    serve(load, draw)
