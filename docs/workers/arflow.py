"""ARFlow-XL/2. evalkit generate --model "command:ENV/bin/python arflow.py path/to/ARFlow path/to/WEIGHTS.pt" ..."""

import os
import sys

os.environ["TRITON_ALLOW_NON_CONSTEXPR_GLOBALS"] = "1"  # as its README runs it

import torch
from worker_loop import as_image, serve

SIDE = 256


def load(repository, file):
    sys.path.insert(0, repository)
    from diffusers.models import AutoencoderKL
    from download import find_model
    from models_infer import ARFlow_models

    model = ARFlow_models["ARFlow-XL/2"](input_size=SIDE // 8, num_classes=1000, learn_sigma=True).to("cuda")
    model.load_state_dict(find_model(file))
    return model.eval(), AutoencoderKL.from_pretrained("stabilityai/sd-vae-ft-ema").to("cuda")


@torch.no_grad()
def draw(loaded, class_id, seed, guidance=1.5, steps=250):
    from transport import Sampler, create_transport

    model, decoder = loaded
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    solve = Sampler(create_transport("Linear", "velocity", None, None, None)).sample_sde(
        sampling_method="Euler",
        diffusion_form="sigma",
        diffusion_norm=1.0,
        last_step="Mean",
        last_step_size=0.04,
        num_steps=steps,
    )
    z = torch.randn(1, 4, SIDE // 8, SIDE // 8, device="cuda").repeat(2, 1, 1, 1)
    for block in model.blocks:
        block.incremental_state = {}  # of the images before
    labels = torch.tensor([class_id, 1000], device="cuda")
    latents = solve(z, model.forward_with_cfg, y=labels, cfg_scale=guidance)[-1]
    return as_image(decoder.decode(latents[:1] / 0.18215).sample[0], add=0.5)


if __name__ == "__main__":
    serve(load, draw)
