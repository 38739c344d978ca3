"""SimpleAR-1.5B-RL. evalkit generate --model "command:ENV/bin/python simple_ar.py path/to/SimpleAR path/to/TOKENIZER" ..."""

import sys

import torch
from worker_loop import as_image, serve

NAME, SIDE = "Daniel0724/SimpleAR-1.5B-RL", 1024
AVOIDED = (
    "An image of aerial view, overexposed, low quality, deformation, a poor composition, bad hands, bad teeth, bad eyes, "
    "bad limbs, distortion"
)


def load(repository, cosmos):
    sys.path.insert(0, repository)
    from simpar.model.builder import load_pretrained_model
    from simpar.model.tokenizer.cosmos_tokenizer.networks import TokenizerConfigs
    from simpar.model.tokenizer.cosmos_tokenizer.video_lib import CausalVideoTokenizer

    config = {**TokenizerConfigs["DV"].value, "spatial_compression": 16, "temporal_compression": 8}
    files = {"checkpoint_enc": f"{cosmos}/encoder.jit", "checkpoint_dec": f"{cosmos}/decoder.jit"}
    decoder = CausalVideoTokenizer(**files, tokenizer_config=config).eval()
    words, model, *_ = load_pretrained_model(NAME, attn_implementation="sdpa", device_map="cuda:0")
    return words, model, decoder


@torch.inference_mode()
def draw(loaded, prompt, seed, negative=AVOIDED, guidance=6.0, temperature=1.0, top_k=64000, top_p=1.0):
    (words, model, decoder), cells = loaded, SIDE // 16
    torch.manual_seed(seed)
    both = (f"<|t2i|>{text}<|soi|>" for text in (f"A highly realistic image of {prompt}", negative))
    ids, avoided = (words(text, return_tensors="pt").input_ids.to("cuda:0") for text in both)
    settings = {"cfg_scale": guidance, "do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": top_k}
    found = model.generate_visual(
        ids, negative_prompt_ids=avoided, **settings, max_new_tokens=cells * cells, use_cache=True
    )
    codes = (found[:, ids.shape[1] : ids.shape[1] + cells * cells] - len(words)).clamp(0, 63999)
    return as_image(decoder.decode(codes.reshape(1, 1, cells, cells)).squeeze(2)[0], add=0.5)


if __name__ == "__main__":
    serve(load, draw)
