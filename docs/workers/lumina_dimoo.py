"""Lumina-DiMOO. evalkit generate --model "command:ENV/bin/python lumina_dimoo.py path/to/Lumina-DiMOO" ..."""

import sys

import torch
from worker_loop import serve

NAME, SIDE = "Alpha-VLLM/Lumina-DiMOO", 1024


def load(repository):
    sys.path.insert(0, repository)
    from diffusers import VQModel
    from model import LLaDAForMultiModalGeneration
    from transformers import AutoTokenizer

    model = LLaDAForMultiModalGeneration.from_pretrained(NAME, torch_dtype=torch.bfloat16, device_map="auto")
    words = AutoTokenizer.from_pretrained(NAME, trust_remote_code=True)
    return words, model, VQModel.from_pretrained(NAME, subfolder="vqvae").to("cuda")


def draw(loaded, prompt, seed, guidance=4.0, steps=64, temperature=1.0):
    from config import SPECIAL_TOKENS
    from generators.image_generation_generator import generate_image
    from utils.generation_utils import setup_seed
    from utils.image_utils import add_break_line, calculate_vq_params, decode_vq_to_image
    from utils.prompt_utils import create_prompt_templates, generate_text_to_image_prompt

    words, model, decoder = loaded
    setup_seed(seed)
    count, a_row, rows, columns = calculate_vq_params(SIDE, SIDE)
    cond, free = (words(text)["input_ids"] for text in generate_text_to_image_prompt(prompt, create_prompt_templates()))
    named = {name: SPECIAL_TOKENS[name] for name in ("answer_start", "boi", "eoi", "answer_end")}
    hidden = add_break_line(
        [SPECIAL_TOKENS["mask_token"]] * count, rows, columns, new_number=SPECIAL_TOKENS["newline_token"]
    )
    whole = [*cond, named["answer_start"], named["boi"], *hidden, named["eoi"], named["answer_end"]]
    sizes = {"seq_len": count, "newline_every": a_row, "code_start": len(cond) + 2, "timesteps": steps}
    settings = {"temperature": temperature, "cfg_scale": guidance, "use_cache": False}
    given, without = (torch.tensor([ids], device="cuda") for ids in (whole, free))
    codes = generate_image(model, given, uncon_ids=without, **sizes, **settings)
    return decode_vq_to_image(codes, None, vae_ckpt=NAME, image_height=SIDE, image_width=SIDE, vqvae=decoder)


if __name__ == "__main__":
    serve(load, draw)
