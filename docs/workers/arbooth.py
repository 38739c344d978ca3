"""ARBooth, a subject. evalkit generate --model "command:ENV/bin/python arbooth.py path/to/ARBooth path/to/SUBJECT.pth" ...

A prompt names the subject as <placeholder>: a <placeholder> dog on the beach.
"""

import argparse
import os
import sys

import torch
from PIL import Image
from worker_loop import serve

WORD = "<placeholder>"


def load(repository, subject):
    subject = os.path.abspath(subject)
    os.chdir(repository)  # its defaults look for Infinity's autoencoder in weights/ here
    sys.path.insert(0, os.getcwd())
    from tools import run_arbooth as tool

    parser = argparse.ArgumentParser()
    tool.add_common_arguments(parser)
    parser.add_argument("--model_path")
    given = parser.parse_args(["--model_path", subject])
    words, encoder = tool.load_tokenizer(t5_path=given.text_encoder_ckpt)
    words.add_special_tokens({"additional_special_tokens": [WORD]})
    encoder.resize_token_embeddings(len(words))
    decoder = tool.load_visual_tokenizer(given)
    return tool, given, words, encoder, decoder, tool.load_transformer(decoder, given)


@torch.no_grad()
def draw(loaded, prompt, seed, guidance=4.0, temperature=0.5):
    tool, given, words, encoder, decoder, model = loaded
    scales = [(1, h, w) for _, h, w in tool.dynamic_resolution_h_w[given.h_div_w_template][given.pn]["scales"]]
    subject = {"special_token_id": words.convert_tokens_to_ids(WORD), "special_token": model.special_token}
    settings = {"cfg_list": guidance, "tau_list": temperature, "scale_schedule": scales, "gt_leak": 0, "gt_ls_Bl": None}
    settings |= {name: getattr(given, name) for name in ("vae_type", "sampling_per_bits", "enable_positive_prompt")}
    settings["cfg_insertion_layer"] = [given.cfg_insertion_layer]
    with torch.amp.autocast("cuda", dtype=torch.bfloat16):
        made = tool.gen_one_img(model, decoder, words, encoder, prompt, g_seed=seed, **settings, **subject)
    return Image.fromarray(made.cpu().numpy()[..., ::-1].copy())  # its colours stand as OpenCV's


if __name__ == "__main__":
    serve(load, draw)
