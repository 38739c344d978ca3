"""FUDOKI. evalkit generate --model "command:ENV/bin/python fudoki_t2i.py path/to/FUDOKI path/to/weights" ..."""

import sys

import torch
from worker_loop import as_image, serve


def load(repository, weights):
    sys.path.insert(0, repository)
    from flow_matching.path import MixtureDiscreteSoftmaxProbPath as Path
    from flow_matching.solver import MixtureDiscreteSoftmaxEulerSolver as Solver
    from fudoki.eval_loop import CFGScaledModel
    from fudoki.janus.models import VLChatProcessor
    from fudoki.model import instantiate_model

    model = instantiate_model(weights).to("cuda").float().eval()
    text, image = (Path(mode=m, embedding_path=f"{weights}/{m}_embedding.pt") for m in ("text", "image"))
    guided, sizes = CFGScaledModel(model=model, g_or_u="generation"), (102400, 16384)
    solver = Solver(guided, path_txt=text, path_img=image, vocabulary_size_txt=sizes[0], vocabulary_size_img=sizes[1])
    return model, VLChatProcessor.from_pretrained(weights), solver


def draw(loaded, prompt, seed, guidance=5.0, steps=50):
    (model, processor, solver), codes, room = loaded, 576, 500
    torch.manual_seed(seed)
    talk = [{"role": "User", "content": prompt}, {"role": "Assistant", "content": ""}]
    text = processor.apply_sft_template_for_multi_turn_prompts(
        conversations=talk, sft_format=processor.sft_format, system_prompt=""
    )
    text += processor.image_start_tag
    words, turn = processor.tokenizer.encode(text), processor.tokenizer.encode("Assistant:", add_special_tokens=False)
    ids = [*words, *[processor.image_id] * codes, processor.image_end_id]
    if len(ids) >= room + codes:
        raise ValueError("the prompt is too long")
    start = next(i for i in range(len(words)) if words[i : i + len(turn)] == turn) + len(turn)
    place = torch.arange(room + codes, device=model.device)[None]
    pictured = ((place >= len(words)) & (place < len(words) + codes)).long()
    told = ((place >= 1) & (place < start)).long()
    kind, none = torch.ones_like(place[:, :1]), torch.zeros_like(place[0, :1])
    info = {"text_token_mask": told, "image_token_mask": pictured, "attention_mask": place < len(ids)}
    info |= {"sft_format": text, "generation_or_understanding_mask": kind, "has_understanding_img": none}
    info["understanding_img"] = torch.zeros(1, 3, 384, 384, device=model.device)
    ids = torch.tensor([ids + [processor.pad_id] * (room + codes - len(ids))], device=model.device)
    x = torch.randint(16384, ids.shape, device=model.device) * pictured + ids * (1 - pictured)
    with torch.no_grad():
        x = solver.sample(x_init=x, step_size=1 / steps, datainfo=info, cfg_scale=guidance)
        pixels = model.gen_vision_model.decode_code(x, [1, 8, 24, 24])[0]
    return as_image(pixels)


if __name__ == "__main__":
    serve(load, draw)
