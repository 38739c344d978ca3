"""T2I-R1. evalkit generate --model "command:ENV/bin/python t2i_r1.py path/to/T2I-R1" ..."""

import sys
from pathlib import Path

import torch
from worker_loop import as_image, serve

NAME, CODES = "CaraJ/T2I-R1", 576
SYSTEM = "You are a helpful assistant that receives an image prompt and generate a visualization of the prompt."


def load(repository):
    sys.path.insert(0, str(Path(repository, "src/t2i-r1/src")))
    from janus.models import VLChatProcessor
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(NAME, trust_remote_code=True).to(torch.bfloat16).cuda().eval()
    question = Path(repository, "data/prompt/reasoning_prompt.txt").read_text().strip()
    return VLChatProcessor.from_pretrained(NAME), model, question


@torch.inference_mode()
def draw(loaded, prompt, seed, guidance=5.0, temperature=1.0):
    (processor, model, question), words = loaded, loaded[0].tokenizer
    embed, ends = model.language_model.get_input_embeddings(), words.eos_token_id
    torch.manual_seed(seed)

    def asked(text, system):
        says = [{"role": "User", "content": text}, {"role": "Assistant", "content": ""}]
        form = {"conversations": says, "sft_format": processor.sft_format, "system_prompt": system}
        text = processor.apply_sft_template_for_multi_turn_prompts(**form)
        return words(text=[text], return_tensors="pt").input_ids.to(model.device)

    first = asked(question.format(prompt), SYSTEM)  # it describes the image before it draws it
    limits = {"max_new_tokens": 512, "do_sample": True, "use_cache": True}
    special = {"pad_token_id": ends, "bos_token_id": words.bos_token_id, "eos_token_id": ends}
    mask = torch.ones_like(first)
    said = model.language_model.generate(inputs_embeds=embed(first), attention_mask=mask, **special, **limits)
    ids = asked(f"{prompt}. {words.decode(said[0].tolist(), skip_special_tokens=True)}", "")
    start = words.encode(processor.image_start_tag)[1]
    ids = torch.cat([ids, torch.full_like(ids[:, :1], start)], 1).repeat(2, 1)
    ids[1, 1:-1] = processor.pad_id  # the row without a condition
    inputs, codes, cache = embed(ids), [], None
    for _ in range(CODES):
        out = model.language_model.model(inputs_embeds=inputs, use_cache=True, past_key_values=cache)
        cache, (cond, free) = out.past_key_values, model.gen_head(out.last_hidden_state[:, -1])
        codes.append(torch.multinomial(torch.softmax((free + guidance * (cond - free)) / temperature, -1), 1))
        inputs = model.prepare_gen_img_embeds(codes[-1].repeat(2))[:, None]
    pixels = model.gen_vision_model.decode_code(torch.cat(codes)[None].int(), shape=[1, 8, 24, 24])
    return as_image(pixels[0])


if __name__ == "__main__":
    serve(load, draw)
