"""Orthus. evalkit generate --model "command:ENV/bin/python orthus.py path/to/Orthus" ..."""

import sys

import torch
from torchvision.transforms.functional import to_pil_image
from worker_loop import serve

NAME = "SJTU-Deng-Lab/Orthus-7B-instruct"


def load(repository):
    sys.path.insert(0, repository)
    from models.modeling_orthus import OrthusForConditionalGeneration
    from models.processing_orthus import OrthusProcessor

    model = OrthusForConditionalGeneration.from_pretrained(
        NAME, device_map="auto", torch_dtype=torch.bfloat16, attn_implementation="flash_attention_2"
    )
    return OrthusProcessor.from_pretrained(NAME), model


def draw(loaded, prompt, seed, guidance=5.0):
    processor, model = loaded
    torch.manual_seed(seed)
    both = [prompt, "Generate an image."]  # the second stands for no condition
    inputs = processor(both, padding=True, return_tensors="pt").to(model.device, dtype=model.dtype)
    latents = model.generate(**inputs, cfg_scale=guidance, multimodal_generation_mode="image-only", use_cache=True)
    with torch.no_grad():
        pixels = processor.postprocess_pixel_values(model.decode_image_latents(latents))
    return to_pil_image(pixels[0].cpu())


if __name__ == "__main__":
    serve(load, draw)
