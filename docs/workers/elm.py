"""ELM-L, 2 x 10 bits. evalkit generate --model "command:ENV/bin/python elm.py path/to/LMforImageGeneration path/to/ckpts" ..."""

import argparse
import sys

import torch
from worker_loop import picture, serve

SPLIT, BITS, SIDE = 2, 10, 16  # sub-codes of a place, bits of each, places of a row
READ = "--dataset custom --codebook_size 20 --norm_first --latent_shape 1 16 16 --deterministic"  # of sample_fid.sh


def load(repository, weights):
    sys.path.insert(0, repository)
    from bae.binaryae import BinaryAutoEncoder, load_pretrain
    from hparams import get_vqgan_hparams
    from llama.ar_model import GPT_models

    sys.argv[1:] = READ.split()  # its reader of settings looks at the command line
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", required=True)
    autoencoder = BinaryAutoEncoder(get_vqgan_hparams(parser)).to("cuda")
    none = dict.fromkeys(("resid_dropout_p", "ffn_dropout_p", "drop_path_rate", "token_dropout_p"), 0.0)
    sizes = {"token_each": SPLIT, "code_dim": BITS, "block_size": SIDE * SIDE, "num_classes": 1000}
    model = GPT_models["GPT-L"](pos_type="rope2d", vocab_size=16384, **sizes, **none).to("cuda")
    model.load_state_dict(torch.load(f"{weights}/gpt/L-2-10.pth", map_location="cpu"), strict=True)
    return model.eval(), load_pretrain(autoencoder, f"{weights}/bae/bae_20/binaryae_ema.th").eval()


@torch.no_grad()
def draw(loaded, class_id, seed, guidance=4.0, temperature=1.0, top_k=1000):
    model, decoder = loaded
    torch.manual_seed(seed)
    settings = {"temperature": temperature, "top_k": top_k, "cfg_scale": guidance, "cfg_schedule": "linear"}
    label = torch.tensor([class_id], device="cuda")
    codes, _ = model.generate_cfg(idx=None, cond=label, num_iter=SIDE * SIDE, remask=False, **settings)
    powers = 2 ** torch.arange(BITS - 1, -1, -1, device=codes.device)
    bits = (codes.reshape(1, SIDE * SIDE, SPLIT, 1) & powers).ne(0).float().reshape(1, SIDE * SIDE, -1)
    pixels = decoder.decode(bits.transpose(1, 2).reshape(1, -1, SIDE, SIDE), is_bin=True)
    return picture(2 * pixels[0] - 1)


if __name__ == "__main__":
    serve(load, draw)
