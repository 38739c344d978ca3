"""JanusFlow-1.3B. evalkit generate --model "command:ENV/bin/python janus_flow.py" ..."""

import torch
from worker_loop import as_image, serve

NAME = "deepseek-ai/JanusFlow-1.3B"


def load():
    from diffusers.models import AutoencoderKL
    from janus.janusflow.models import MultiModalityCausalLM, VLChatProcessor

    model = MultiModalityCausalLM.from_pretrained(NAME, trust_remote_code=True).to(torch.bfloat16).cuda().eval()
    decoder = AutoencoderKL.from_pretrained("stabilityai/sdxl-vae").to(torch.bfloat16).cuda().eval()
    return VLChatProcessor.from_pretrained(NAME), model, decoder


@torch.inference_mode()
def draw(loaded, prompt, seed, guidance=2.0, steps=30):
    (processor, model, decoder), device = loaded, loaded[1].device
    torch.manual_seed(seed)
    says = [{"role": "User", "content": prompt}, {"role": "Assistant", "content": ""}]
    text = processor.apply_sft_template_for_multi_turn_prompts(
        conversations=says, sft_format=processor.sft_format, system_prompt=""
    )
    ids = torch.tensor(processor.tokenizer.encode(text + processor.image_gen_tag), device=device).repeat(2, 1)
    ids[1, 1:] = processor.pad_id  # the row without a condition
    words = model.language_model.get_input_embeddings()(ids)[:, :-1]  # the time stands in the place of the last one
    seen = torch.ones(2, words.shape[1] + 577, dtype=torch.int, device=device)
    seen[1, 1 : words.shape[1]] = 0
    z = torch.randn(1, 4, 48, 48, dtype=torch.bfloat16, device=device)
    for step in range(steps):
        moment = torch.full((2,), step / steps * 1000.0, dtype=z.dtype, device=device)
        codes, time, skipped = model.vision_gen_enc_model(torch.cat([z, z]), moment)
        given = torch.cat([words, time[:, None], model.vision_gen_enc_aligner(codes.flatten(2).transpose(1, 2))], 1)
        hidden = model.language_model.model(inputs_embeds=given, attention_mask=seen, use_cache=False).last_hidden_state
        hidden = model.vision_gen_dec_aligner(model.vision_gen_dec_aligner_norm(hidden[:, -576:]))
        velocity = model.vision_gen_dec_model(hidden.reshape(2, 24, 24, -1).permute(0, 3, 1, 2), skipped, time)
        z = z + torch.full_like(z, 1 / steps) * (guidance * velocity[:1] - (guidance - 1) * velocity[1:])
    return as_image(decoder.decode(z / decoder.config.scaling_factor).sample[0], add=0.5)


if __name__ == "__main__":
    serve(load, draw)
