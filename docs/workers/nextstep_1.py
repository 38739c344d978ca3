"""NextStep-1. evalkit generate --model "command:ENV/bin/python nextstep_1.py path/to/NextStep-1-Large path/to/TOKENIZER" ..."""

import torch
from worker_loop import serve

SIDE = 512
PRAISE = "masterpiece, film grained, best quality."
AVOIDED = (
    "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst quality, "
    "low quality, normal quality, jpeg artifacts, signature, watermark, username, blurry."
)


def load(weights, tokenizer):
    from nextstep.models.pipeline_nextstep import NextStepPipeline

    pipeline = NextStepPipeline(model_name_or_path=weights, vae_name_or_path=tokenizer)
    return pipeline.to("cuda", torch.bfloat16)


def draw(pipeline, prompt, seed, negative=AVOIDED, guidance=7.5, steps=50):
    return pipeline.generate_image(
        captions=prompt,
        images=None,
        num_images_per_caption=1,
        positive_prompt=PRAISE,
        negative_prompt=negative,
        hw=(SIDE, SIDE),
        use_norm=True,
        cfg=guidance,
        cfg_schedule="constant",
        timesteps_shift=1.0,
        num_sampling_steps=steps,
        seed=seed,
    )[0]


if __name__ == "__main__":
    serve(load, draw)
