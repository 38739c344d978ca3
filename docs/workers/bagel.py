"""BAGEL-7B-MoT, images and edits. evalkit generate --model "command:ENV/bin/python bagel.py path/to/Bagel path/to/WEIGHTS" ..."""

import random
import sys

import numpy
import torch
from worker_loop import serve


def load(repository, weights):
    sys.path.insert(0, repository)
    from accelerate import init_empty_weights, load_checkpoint_and_dispatch
    from data.data_utils import add_special_tokens
    from data.transforms import ImageTransform
    from inferencer import InterleaveInferencer
    from modeling.autoencoder import load_ae
    from modeling.bagel import Bagel, BagelConfig, Qwen2Config, Qwen2ForCausalLM, SiglipVisionConfig, SiglipVisionModel
    from modeling.qwen2 import Qwen2Tokenizer

    llm = Qwen2Config.from_json_file(f"{weights}/llm_config.json")
    llm.qk_norm, llm.tie_word_embeddings, llm.layer_module = True, False, "Qwen2MoTDecoderLayer"
    vit = SiglipVisionConfig.from_json_file(f"{weights}/vit_config.json")
    vit.rope, vit.num_hidden_layers = False, vit.num_hidden_layers - 1
    vae, sizes = load_ae(local_path=f"{weights}/ae.safetensors")
    both = {"visual_gen": True, "visual_und": True, "llm_config": llm, "vit_config": vit, "vae_config": sizes}
    grid = {"vit_max_num_patch_per_side": 70, "latent_patch_size": 2, "max_latent_size": 64}
    config = BagelConfig(**both, **grid, connector_act="gelu_pytorch_tanh")
    with init_empty_weights():
        model = Bagel(Qwen2ForCausalLM(llm), SiglipVisionModel(vit), config)
        model.vit_model.vision_model.embeddings.convert_conv2d_to_linear(vit, meta=True)
    model = load_checkpoint_and_dispatch(  # its hooks bring the inputs to the device, as in the demo
        model, f"{weights}/ema.safetensors", {"": "cuda:0"}, dtype=torch.bfloat16, force_hooks=True
    ).eval()
    words, ids, _ = add_special_tokens(Qwen2Tokenizer.from_pretrained(weights))
    shrink = ImageTransform(1024, 512, 16), ImageTransform(980, 224, 14)
    return InterleaveInferencer(model, vae, words, *shrink, ids)


def draw(inferencer, prompt, seed, image=None, guidance=4.0, steps=50):
    for seeding in (random.seed, numpy.random.seed, torch.manual_seed):
        seeding(seed)
    given = {"cfg_text_scale": guidance, "num_timesteps": steps, "timestep_shift": 3.0, "cfg_renorm_min": 0.0}
    if image is None:  # the demo's settings, of images and of edits
        given |= {"cfg_interval": [0.4, 1.0], "cfg_renorm_type": "global", "image_shapes": (1024, 1024)}
    else:
        given |= {"cfg_interval": [0.0, 1.0], "cfg_renorm_type": "text_channel", "cfg_img_scale": 2.0}
    return inferencer(image=image, text=prompt, think=False, **given)["image"]


if __name__ == "__main__":
    serve(load, draw)
