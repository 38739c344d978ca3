"""DiGIT, base, with classes. evalkit generate --model "command:ENV/bin/python digit.py path/to/DiGIT STAGE1.pt STAGE2.pt" ..."""

import os
import random
import sys
import tempfile
from argparse import Namespace

import numpy
import torch
from PIL import Image
from worker_loop import serve

PLACES = 256
FOLDER = tempfile.mkdtemp()  # its second stage writes the image to a file
FIXED = {"temperature": 1.0, "top_k": 300}


def load(repository, *files):
    files = [os.path.abspath(file) for file in files]
    os.environ["IMG_SAVE_DIR"] = FOLDER
    os.chdir(repository)
    sys.path.insert(0, os.getcwd())
    from fairseq import checkpoint_utils, utils

    utils.import_user_module(Namespace(user_dir=os.path.join(os.getcwd(), "fairseq_user")))
    rules = ({"sampling_topk": 300, "max_len_b": 300}, {"sampling_topp": 0.8, "max_len_b": 600})
    stages = []
    for file, rule in zip(files, rules, strict=True):
        models, _, task = checkpoint_utils.load_model_ensemble_and_task([file])
        models = [model.half().cuda().eval() for model in models]
        settings = Namespace(sampling=True, temperature=1.0, beam=1, min_len=PLACES, **rule)
        stages.append((task, models, task.build_generator(models, settings)))
    return stages


def sampled(stage, tokens, **given):
    task, models, generator = stage
    side = 256 if "cls_ids" in given else 16
    lengths = torch.tensor([PLACES]).cuda()
    net = {"src_tokens": tokens, "img_sizes": torch.tensor([[side, side]]).cuda(), "src_lengths": lengths, **given}
    found = task.inference_step(generator, models, {"id": torch.tensor([0]), "net_input": net, "nsentences": 1})
    return found[0][0]["tokens"][:PLACES]


@torch.no_grad()
def draw(stages, class_id, seed):
    for seeding in (random.seed, numpy.random.seed, torch.manual_seed):
        seeding(seed)
    nothing = torch.zeros(1, 3, 256, 256).half().cuda()
    first = sampled(stages[0], torch.zeros(1, 1).long().cuda(), imgs=nothing, cls_ids=torch.tensor([class_id]).cuda())
    sampled(stages[1], first[None], imgs=None)
    return Image.open(os.path.join(FOLDER, "0_pred.png")).convert("RGB")


if __name__ == "__main__":
    serve(load, draw, FIXED)
