"""NSARM, small images to 1024 px. evalkit generate --model "command:ENV/bin/python nsarm.py path/to/NSARM WEIGHTS VAE T5" ...

The prompt is the image's caption, the source image the small one (256 px officially).
"""

import argparse
import sys

import torch
from PIL import Image
from worker_loop import serve

READ = "--pn 1M --cfg 1 --tau 0.5 --model_type infinity_8b --vae_type 14 --apply_spatial_patchify 1 --use_bit_label 1"
READ += " --add_lvl_embeding_only_first_block 1 --rope2d_each_sa_layer 1 --rope2d_normalized_by_hw 2"
READ += " --use_scale_schedule_embedding 0 --checkpoint_type torch --text_channels 2048"  # of scripts/infer.sh


def load(repository, weights, vae, t5):
    sys.path.insert(0, repository)
    from tools import run_infinity as tool

    parser = argparse.ArgumentParser()
    tool.add_common_arguments(parser)
    files = ["--model_path", weights, "--vae_path", vae, "--text_encoder_ckpt", t5]
    given = parser.parse_args([*READ.split(), *files])
    words, encoder = tool.load_tokenizer(t5_path=t5)
    decoder = tool.load_visual_tokenizer(given)
    return tool, given, words, encoder, decoder, tool.load_transformer(decoder, given)


@torch.no_grad()
def draw(loaded, prompt, seed, image, guidance=1.0, temperature=0.5):
    tool, given, words, encoder, decoder, model = loaded
    scales = [(1, h, w) for _, h, w in tool.dynamic_resolution_h_w[given.h_div_w_template][given.pn]["scales"]]
    settings = {"cfg_list": guidance, "tau_list": temperature, "scale_schedule": scales, "gt_leak": 0, "gt_ls_Bl": None}
    settings |= {name: getattr(given, name) for name in ("vae_type", "sampling_per_bits", "enable_positive_prompt")}
    settings |= {"cfg_insertion_layer": [given.cfg_insertion_layer], "trunk_scale": 100, "LR_img": image}
    with torch.autocast("cuda", dtype=torch.bfloat16):
        made = tool.gen_one_img(model, decoder, words, encoder, prompt, g_seed=seed, **settings)
    return tool.color_adjust(Image.fromarray(made.cpu().numpy()), image, given.adain, given.wavelet)


if __name__ == "__main__":
    serve(load, draw)
