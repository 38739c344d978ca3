"""Show-o2-1.5B, 432 px. evalkit generate --model "command:ENV/bin/python show_o2.py path/to/Show-o/show-o2 path/to/VAE" ..."""

import os
import sys

import torch
from worker_loop import as_image, serve


def load(repository, vae):
    sys.path.insert(0, repository)
    from models import Showo2Qwen2_5, WanVAE
    from models.misc import get_text_tokenizer
    from omegaconf import OmegaConf
    from utils import path_to_llm_name

    config = OmegaConf.load(os.path.join(repository, "configs/showo2_1.5b_demo_432x432.yaml"))
    names = config.model.showo
    words, special = get_text_tokenizer(
        names.llm_model_path,
        add_showo_tokens=True,
        return_showo_token_ids=True,
        llm_name=path_to_llm_name[names.llm_model_path],
    )
    names.llm_vocab_size = len(words)
    config.dataset.preprocessing.num_t2i_image_tokens += 1  # the time stands before them
    model = Showo2Qwen2_5.from_pretrained(names.pretrained_model_path, use_safetensors=False).to("cuda", torch.bfloat16)
    decoder = WanVAE(vae_pth=vae, dtype=torch.bfloat16, device=torch.device("cuda"))
    return config, words, special, model.eval(), decoder


@torch.no_grad()
def draw(loaded, prompt, seed, guidance=7.5, steps=50):
    from models import omni_attn_mask_naive
    from models.misc import prepare_gen_input
    from transport import Sampler, create_transport

    (config, words, special, model, decoder), device = loaded, loaded[3].device
    torch.manual_seed(seed)
    sizes, flow, count = config.model.showo, config.transport, config.dataset.preprocessing.num_t2i_image_tokens
    ids = [special[f"{name}_id"] for name in ("bos", "eos", "boi", "eoi")]
    length, ends = config.dataset.preprocessing.max_seq_length, (words.pad_token_id, special["img_pad_id"])
    cond, free, *places = prepare_gen_input([prompt], words, count, *ids, *ends, length - count - 4, device)
    where = torch.cat(places)
    sides = [side * sizes.patch_size for side in (sizes.image_latent_height, sizes.image_latent_width)]
    z = torch.randn(1, sizes.image_latent_dim, *sides).to(device, torch.bfloat16).repeat(2, 1, 1, 1)
    given = {"text_tokens": torch.cat([cond, free]), "modality_positions": where, "output_hidden_states": True}
    given["attention_mask"] = omni_attn_mask_naive(2, length, where, device).to(torch.bfloat16)
    kinds = ("path_type", "prediction", "loss_weight", "train_eps", "sample_eps", "snr_type", "do_shift")
    sampler = Sampler(create_transport(**{name: flow[name] for name in kinds}, seq_len=count))
    solver = {name: flow[name] for name in ("sampling_method", "atol", "rtol", "reverse", "time_shifting_factor")}
    solved = sampler.sample_ode(num_steps=steps, **solver)
    latents = solved(z, model.t2i_generate, **given, max_seq_len=length, guidance_scale=guidance)[-1][:1]
    return as_image(decoder.batch_decode(latents.unsqueeze(2)).squeeze(2)[0])


if __name__ == "__main__":
    serve(load, draw)
