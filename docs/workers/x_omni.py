"""X-Omni. evalkit generate --model "command:ENV/bin/python x_omni.py path/to/FLUX.1-dev" ...

It runs code that comes with the weights; do it in a container.
"""

import torch
from worker_loop import serve

NAME, CELLS = "X-Omni/X-Omni-En", 72  # of 16 px on each side
FIXED = {"min_p": 0.03}


def load(flux):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(NAME, torch_dtype=torch.bfloat16, trust_remote_code=True).cuda()
    model.init_vision(flux)
    model.set_generation_mode("image")
    return AutoTokenizer.from_pretrained(NAME, use_fast=True), model.eval()


def draw(loaded, prompt, seed, guidance=1.0, temperature=1.0, top_p=1.0):
    from transformers.generation import GenerationConfig

    tokenizer, model = loaded
    prefix = f"<SOM>{CELLS} {CELLS}<IMAGE>"
    given = tokenizer([prompt + prefix], return_tensors="pt")
    settings = GenerationConfig(
        max_new_tokens=CELLS * CELLS,
        do_sample=True,
        temperature=temperature,
        min_p=0.03,
        top_p=top_p,
        guidance_scale=guidance,
        suppress_tokens=tokenizer.convert_tokens_to_ids(model.config.mm_special_tokens),
    )
    torch.manual_seed(seed)
    tokens = model.generate(
        inputs=given.input_ids.to(model.device),
        attention_mask=given.attention_mask.to(model.device),
        generation_config=settings,
        negative_prompt_ids=tokenizer.encode(prefix, add_special_tokens=False, return_tensors="pt").to(model.device),
    )
    tokens = torch.nn.functional.pad(tokens, (0, 1), value=tokenizer.convert_tokens_to_ids("<EOM>"))
    torch.manual_seed(seed)  # of the decoder, as in the official script
    return model.mmdecode(tokenizer, tokens[0], skip_special_tokens=False)[1][0]


if __name__ == "__main__":
    serve(load, draw, FIXED)
