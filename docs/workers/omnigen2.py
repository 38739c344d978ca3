"""OmniGen2, images and edits. evalkit generate --model "command:ENV/bin/python omnigen2.py path/to/OmniGen2" ..."""

import sys

import torch
from worker_loop import serve

NAME = "OmniGen2/OmniGen2"
AVOIDED = (
    "(((deformed))), blurry, over saturation, bad anatomy, disfigured, poorly drawn face, mutation, mutated, (extra_limb), "
    "(ugly), (poorly drawn hands), fused fingers, messy drawing, broken legs censor, censored, censor_bar"
)


def load(repository):
    sys.path.insert(0, repository)
    from omnigen2.models.transformers.transformer_omnigen2 import OmniGen2Transformer2DModel
    from omnigen2.pipelines.omnigen2.pipeline_omnigen2 import OmniGen2Pipeline

    kind = {"torch_dtype": torch.bfloat16}
    pipeline = OmniGen2Pipeline.from_pretrained(NAME, trust_remote_code=True, **kind)
    pipeline.transformer = OmniGen2Transformer2DModel.from_pretrained(NAME, subfolder="transformer", **kind)
    return pipeline.to("cuda")


def draw(pipeline, prompt, seed, image=None, negative=AVOIDED, guidance=None, steps=50):
    if guidance is None:
        guidance = 4.0 if image is None else 5.0  # of example_t2i.sh and of example_edit.sh
    return pipeline(
        prompt=prompt,
        input_images=None if image is None else [image],
        width=1024,
        height=1024,
        num_inference_steps=steps,
        max_sequence_length=1024,
        text_guidance_scale=guidance,
        image_guidance_scale=2.0,
        cfg_range=(0.0, 1.0),
        negative_prompt=negative,
        num_images_per_prompt=1,
        generator=torch.Generator(device="cuda").manual_seed(seed),
        output_type="pil",
    ).images[0]


if __name__ == "__main__":
    serve(load, draw)
