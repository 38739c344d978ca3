"""VARGPT-v1.1. evalkit generate --model "command:ENV/bin/python vargpt.py path/to/VARGPT-v1.1" ..."""

import os
import sys
import tempfile

import torch
from PIL import Image
from worker_loop import serve

NAME = "VARGPT-family/VARGPT-v1.1"
FIXED = {"guidance": 3.0, "top_k": 900, "top_p": 0.97}


def load(repository):
    os.chdir(repository)  # its weights are looked for in the folder VARGPT-family/VARGPT-v1.1 here
    sys.path.insert(0, os.getcwd())
    from patching_utils.patching import patching
    from vargpt_qwen_v1_1.modeling_vargpt_qwen2_vl import VARGPTQwen2VLForConditionalGeneration
    from vargpt_qwen_v1_1.prepare_vargpt_v1_1 import prepare_vargpt_qwen2vl_v1_1
    from vargpt_qwen_v1_1.processing_vargpt_qwen2_vl import VARGPTQwen2VLProcessor

    prepare_vargpt_qwen2vl_v1_1(NAME)
    model = VARGPTQwen2VLForConditionalGeneration.from_pretrained(
        NAME, torch_dtype=torch.float32, low_cpu_mem_usage=True
    ).to(0)
    patching(model)
    infer = model.autoregressive_infer_cfg  # its caller takes the clock for a seed; here the request's is put in
    model.autoregressive_infer_cfg = lambda **given: infer(**{**given, "g_seed": model.asked_seed})
    return VARGPTQwen2VLProcessor.from_pretrained(NAME), model


def draw(loaded, prompt, seed):
    processor, model = loaded
    torch.manual_seed(seed)
    model.asked_seed = seed
    says = [{"role": "user", "content": [{"type": "text", "text": f"Can you depict a scene of {prompt}"}]}]
    text = processor.apply_chat_template(says, add_generation_prompt=True)
    inputs = processor(text=text, return_tensors="pt").to(0, torch.float32)
    with tempfile.TemporaryDirectory() as folder:  # the model writes its image to a file
        model._IMAGE_GEN_PATH = os.path.join(folder, "picture.png")
        model.generate(**inputs, max_new_tokens=4096, do_sample=False)
        return Image.open(model._IMAGE_GEN_PATH).convert("RGB")


if __name__ == "__main__":
    serve(load, draw, FIXED)
