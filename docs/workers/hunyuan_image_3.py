"""HunyuanImage-3.0. evalkit generate --model "command:ENV/bin/python hunyuan_image_3.py path/to/HunyuanImage-3.0 WEIGHTS" ..."""

import sys

from worker_loop import serve


def load(repository, weights):
    sys.path.insert(0, repository)
    from hunyuan_image_3.hunyuan import HunyuanImage3ForCausalMM

    model = HunyuanImage3ForCausalMM.from_pretrained(
        weights, attn_implementation="sdpa", torch_dtype="auto", device_map="auto", moe_impl="eager"
    )
    model.load_tokenizer(weights)
    return model


def draw(model, prompt, seed, steps=50):
    # no rewriting by another model, which the authors' script does by default: the prompt is drawn as it stands
    return model.generate_image(prompt=prompt, seed=seed, image_size="1024x1024", diff_infer_steps=steps, stream=False)


if __name__ == "__main__":
    serve(load, draw)
