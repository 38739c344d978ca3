"""Show-o, 512 px. evalkit generate --model "command:ENV/bin/python show_o.py path/to/Show-o" ..."""

import os
import sys

import torch
from worker_loop import as_image, serve

WORDS = ("soi", "eoi", "sov", "eov", "t2i", "mmu", "t2v", "v2v", "lvg")


def load(repository):
    sys.path.insert(0, repository)
    from models import MAGVITv2, Showo
    from omegaconf import OmegaConf
    from training.prompting_utils import UniversalPrompting
    from transformers import AutoTokenizer

    config = OmegaConf.load(os.path.join(repository, "configs/showo_demo_512x512.yaml"))
    names, length = config.model, config.dataset.preprocessing.max_seq_length
    tokenizer = AutoTokenizer.from_pretrained(names.showo.llm_model_path, padding_side="left")
    special = tuple(f"<|{word}|>" for word in WORDS)
    prompting = UniversalPrompting(tokenizer, special, max_text_len=length, cond_dropout_prob=0.1)
    decoder = MAGVITv2.from_pretrained(names.vq_model.vq_model_name).to("cuda").eval()
    return config, prompting, decoder, Showo.from_pretrained(names.showo.pretrained_model_path).to("cuda").eval()


def draw(loaded, prompt, seed, guidance=5.0, steps=50, temperature=1.0):
    from models import get_mask_chedule
    from training.prompting_utils import create_attention_mask_predict_next

    config, prompting, decoder, model = loaded
    torch.manual_seed(seed)
    sizes, ids = config.model.showo, {name: int(prompting.sptids_dict[f"<|{name}|>"]) for name in ("pad", "soi", "eoi")}
    hidden = torch.full((1, sizes.num_vq_tokens), model.config.mask_token_id, device=model.device)
    cond, free = (prompting(([text], hidden), "t2i_gen")[0] for text in (prompt, ""))
    special = {f"{name}_id": value for name, value in ids.items()}
    mask = create_attention_mask_predict_next(torch.cat([cond, free]), **special, rm_pad_in_image=True)
    given = {"input_ids": cond, "uncond_input_ids": free, "attention_mask": mask, "config": config}
    rules = {
        "guidance_scale": guidance,
        "timesteps": steps,
        "temperature": temperature,
        "noise_schedule": get_mask_chedule("cosine"),
    }
    with torch.no_grad():
        codes = model.t2i_generate(**given, **rules).clamp(0, sizes.codebook_size - 1)
        pixels = decoder.decode_code(codes)[0]
    return as_image(pixels)


if __name__ == "__main__":
    serve(load, draw)
