"""HMAR-d30 (no commercial use). evalkit generate --model "command:ENV/bin/python hmar.py path/to/HMAR path/to/WEIGHTS" ..."""

import sys

import torch
from worker_loop import as_image, serve

SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
MASKED = [[1], [1, 3], [1, 1, 2, 5], [16], [25], [36], [64], [100], [169], [256]]  # codes in each step of a scale


def load(repository, weights):
    sys.path.insert(0, repository)
    from models import build_vae_hmar

    sizes = {"V": 4096, "Cvae": 32, "ch": 160, "share_quant_resi": 4, "num_classes": 1000, "depth": 30}
    decoder, model = build_vae_hmar(
        **sizes, device="cuda", patch_nums=SCALES, shared_aln=False, attn_l2_norm=True, flash_if_available=True
    )
    for part, file in ((decoder, "vae_ch160v4096z32.pth"), (model, "hmar-d30.pth")):
        part.load_state_dict(torch.load(f"{weights}/{file}", map_location="cpu", weights_only=True))
    torch.set_default_device("cuda")
    return model.eval()


@torch.inference_mode()
def draw(model, class_id, seed, guidance=1.6, top_k=650, top_p=0.99):
    settings = {"cfg": guidance, "top_k": top_k, "top_p": top_p, "more_smooth": False, "num_samples": 1}
    pixels = model.generate(1, class_id, g_seed=seed, **settings, mask=True, mask_schedule=MASKED)
    return as_image(2 * pixels[0] - 1, add=0.5)


if __name__ == "__main__":
    serve(load, draw)
