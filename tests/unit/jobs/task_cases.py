"""A small run of every task, for the contract that all of them keep: name -> function(folder) that makes the run."""

from __future__ import annotations

from evalkit.jobs.options import RunOptions


def generate(folder):
    from evalkit.tasks.generate import generate_images

    return generate_images("world-ar", "world", options=RunOptions(out=folder, limit=3, device="cpu"))


def detect(folder):
    from evalkit.watermark.detection import detect_watermark

    options = RunOptions(out=folder, limit=5, device="cpu")
    cache = folder.with_name("codes.sqlite")
    secret = key(folder.parent).source
    return detect_watermark("sample/photos", secret, "world-vq", search="flip", cache=cache, options=options)


def calibrate(folder):
    from evalkit.runs.store import read_run
    from evalkit.watermark.detection.calibrate import calibrate as calibrated
    from evalkit.watermark.methods.plain import plain_marks
    from evalkit.watermark.spec import MarkSpec

    mark = plain_marks([MarkSpec(lists=4)], [key(folder.parent)])
    options = RunOptions(limit=5, device="cpu")
    out, cache = folder.with_suffix(".npz"), folder.with_name("codes.sqlite")
    return read_run(calibrated("sample/photos", "world-vq", mark, out, cache=cache, options=options).run)


def watermark(folder):
    from evalkit.tokenizers.registry import load_tokenizer
    from evalkit.watermark.embed import embed_folder
    from evalkit.watermark.methods import MarkSpec, mark_for

    tokenizer = load_tokenizer("world-vq", device="cpu")
    mark = mark_for(MarkSpec(), key(folder.parent), tokenizer)
    options = RunOptions(out=folder, limit=3, device="cpu")
    return embed_folder(photos(folder.parent), tokenizer, mark, options=options)


def marked(folder):
    from evalkit.watermark.embed import generate_marked
    from evalkit.watermark.methods import MarkSpec, mark_for

    options = RunOptions(out=folder, limit=2, device="cpu")
    secret = key(folder.parent)
    return generate_marked(
        "world-ar", "world", lambda tokenizer: mark_for(MarkSpec(), secret, tokenizer), 2.0, options=options
    )


def attack(folder):
    from evalkit.runs.store import read_run
    from evalkit.watermark.attacks.run import attack_folder
    from evalkit.watermark.attacks.spelling import read_attacks

    attacks = read_attacks(["noise:0.1", "jpeg:60", "retokenize:world-vq"])
    attack_folder(photos(folder.parent), attacks, folder, limit=3, device="cpu")
    return read_run(folder)


def probe(folder):
    from helpers.drawn import drawn

    from evalkit.tasks.probe import probe as scored

    images = folder.parent / "drawn"
    if not images.exists():
        drawn(images, 12)
    return scored("world", images, options=RunOptions(out=folder, limit=12, device="cpu"))


def evidence(folder):
    from evalkit.encoders.registry import load_detector
    from evalkit.tasks.probe import probe as scored
    from evalkit.tasks.probe.evidence.write import write_evidence
    from evalkit.tasks.probe.suite import SUITES, Encoders, ProbeImage
    from evalkit.world.prompts import world_prompts
    from evalkit.world.render import render_scene

    file, suite, networks = folder.parent / "e.jsonl", SUITES.get("world")(), Encoders(load_detector("world"))
    images = [ProbeImage(p.id, p.id, 0, render_scene(p.scene)) for p in world_prompts()[:20]]
    write_evidence(file, suite.evidence(images, networks), suite.facts(networks))
    options = RunOptions(out=folder, limit=20, device="cpu")
    return scored("world", evidence=file, rules={"threshold": 0.8}, options=options)


def judged(folder):
    from helpers.judged import ScriptedJudge, small_data, small_images

    from evalkit.judges.store import ReplyStore
    from evalkit.tasks.probe import probe as scored
    from evalkit.tasks.probe.judged.options import JudgeOptions
    from evalkit.tasks.probe.judged.seat import Seat
    from evalkit.tasks.probe.judged.suite import judged_suite
    from evalkit.tasks.probe.listing import list_images
    from evalkit.tasks.probe.suite import Encoders, ProbeImage

    data, images, replies = (folder.parent / name for name in ("vqa", "vqa-images", "replies.jsonl"))
    if not images.exists():  # a judge that is known by name elsewhere is never asked: its replies are kept before
        small_images("vqascore", small_data("vqascore", data), images)
        suite = judged_suite("vqascore").opened(data)
        listing = list_images(images, suite)
        read = zip(listing.images, listing.read(0, 4, threads=1), strict=True)
        shown = [ProbeImage(placed.name, placed.prompt, placed.sample, sample.image) for placed, sample in read]
        list(suite.evidence(shown, Encoders(judge=Seat(ScriptedJudge("Yes"), ReplyStore(replies)))))
    judging = JudgeOptions(judge="http:http://127.0.0.1:9/v1#fake-vlm", data=data, replies=replies)
    return scored("vqascore", images, judge=judging, options=RunOptions(out=folder, device="cpu"))


def robustness(folder):
    from evalkit.runs.store import read_run
    from evalkit.tokenizers.registry import load_tokenizer
    from evalkit.watermark.attacks.spelling import read_attacks
    from evalkit.watermark.methods import MarkSpec, mark_for
    from evalkit.watermark.robustness import TokenMark, watermark_robustness

    tokenizer = load_tokenizer("world-vq", device="cpu")
    ours = TokenMark(mark_for(MarkSpec(), key(folder.parent), tokenizer), tokenizer)
    attacks = read_attacks(["noise:0.1", "retokenize:world-vq", "jpeg:60"])
    data = photos(folder.parent)
    watermark_robustness(data, [ours], attacks, folder, side=64, limit=3, device="cpu", absent={"rivaGan": "not here"})
    return read_run(folder)


def key(folder):
    """A key file of its own, made once."""
    from helpers.keys import known_key, read_key

    path = folder / "secret.key"
    return read_key(path) if path.exists() else known_key(path)


def photos(folder):
    """Four small images of the bundled set, as files."""
    from PIL import Image

    from evalkit.images import open_images

    target = folder / "photos"
    if not target.exists():
        target.mkdir()
        for number, sample in enumerate(open_images("sample/photos").read(0, 4, threads=1)):
            Image.fromarray(sample.image[:96, :96]).save(target / f"{number}.png")
    return target


CASES = {
    "attack": attack,
    "evidence": evidence,
    "generate": generate,
    "judged": judged,
    "marked": marked,
    "probe": probe,
    "robustness": robustness,
    "watermark": watermark,
    "watermark-detect": detect,
    "watermark-calibrate": calibrate,
}


def tokenizer(folder):
    from evalkit.tasks.tokenizer import evaluate_tokenizer

    options = RunOptions(out=folder, device="cpu", keep="all", limit=3)
    (run,) = evaluate_tokenizer(
        "jpeg-q75", photos(folder.parent), tasks=["reconstruction", "distribution"], options=options
    )
    return run


def tokenizer_worst(folder):
    from evalkit.tasks.tokenizer import evaluate_tokenizer

    protocols = ("evalkit-1", "vtbench-2025")
    options = RunOptions(out=folder, device="cpu", limit=2)
    tasks = ["reconstruction", "codes", "survival"]
    (run,) = evaluate_tokenizer("world-vq", photos(folder.parent), protocols=protocols, tasks=tasks, options=options)
    return run


def score(folder):
    from evalkit.tasks.score import score_images

    metrics = ["fd_efflite0", "kid_efflite0", "vendi_efflite0"]
    options = RunOptions(out=folder, device="cpu")
    return score_images(photos(folder.parent), "sample/textures", metrics=metrics, options=options)


def likelihood(folder):
    from evalkit.tasks.likelihood import image_likelihood

    prompts = folder.parent / "captions.txt"
    prompts.write_text("a photo of a red apple\n" * 4)
    return image_likelihood(
        photos(folder.parent), "world-ar", prompts=prompts, options=RunOptions(out=folder, device="cpu")
    )


def paired(folder):
    from evalkit.tasks.paired import paired_scores

    options = RunOptions(out=folder, device="cpu")
    return paired_scores(photos(folder.parent), photos(folder.parent), metrics=["ssim", "exact"], options=options)


def captions(folder):
    import json

    from evalkit.tasks.captions import caption_scores

    files = []
    for name, ends in (("model", ["."]), ("people", [" on a table", " that is here"])):
        rows = [{"id": f"{i}", "caption": f"a photo of {i} things{end}"} for i in range(200) for end in ends]
        files.append(folder.parent / f"{name}.jsonl")
        files[-1].write_text("\n".join(json.dumps(row) for row in rows))
    options = RunOptions(out=folder, device="cpu")
    return caption_scores(photos(folder.parent), *files, options=options)


def views(folder):
    import json

    from evalkit.tasks.views import view_consistency

    rows = [
        {
            "id": f"{i}",
            "intrinsics": [[96, 0, 48], [0, 96, 48], [0, 0, 1]],
            "pose": [[1, 0, 0, i], [0, 1, 0, 0], [0, 0, 1, 0]],
        }
        for i in range(4)
    ]
    cameras = folder.parent / "cameras.jsonl"
    cameras.write_text("\n".join(json.dumps(row) for row in rows))
    return view_consistency(photos(folder.parent), cameras, options=RunOptions(out=folder, device="cpu"))


CASES |= {"score": score, "likelihood": likelihood, "paired": paired, "captions": captions, "views": views}
CASES |= {"tokenizer": tokenizer, "tokenizer-worst": tokenizer_worst}
OF_TASK = {"watermark-attack": "attack", "watermark-robustness": "robustness"}


def erasure_check(folder):
    from helpers.erased import images, written

    from evalkit.erasure.check import Look, check_folders
    from evalkit.erasure.check.items import items_of
    from evalkit.erasure.pairs.pair import read_pairs

    home = folder.parent
    path = home / "dog.jsonl"
    if not path.exists():
        items = items_of(read_pairs(written(home, 8)), "dog", None)
        images(home / "before", items)
        images(home / "after", items, lambda name, caption: "cat" if name == "dog" else name)
    look = Look("world", distances=False)
    return check_folders(
        home / "before", home / "after", path, "dog", look=look, options=RunOptions(out=folder, device="cpu")
    )


CASES |= {"erasure-check": erasure_check}


def rounds(folder):
    from PIL import Image

    from evalkit.tasks.probe.rounds import probe_rounds

    home = folder.parent / "chains"
    for chain in range(0 if home.exists() else 5):
        (home / f"c{chain}").mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (32, 32), (100 + 5 * number, 90 + chain, 80)).save(home / f"c{chain}" / f"{number}.png")
    return probe_rounds(home, options=RunOptions(out=folder))


def decoder_train(folder):
    import numpy as np
    from PIL import Image

    from evalkit.tasks.probe.decoder import train_decoder

    kinds, rng = [folder.parent / name for name in ("smooth", "noisy")], np.random.default_rng(0)
    for number, home in enumerate(kinds if not kinds[0].exists() else ()):
        for image in range(24):
            pixels = rng.integers(100, 110 + 60 * number, (80, 80, 3), dtype=np.uint8)
            (home / f"g{image % 2}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(home / f"g{image % 2}" / f"{image}.png")
    return train_decoder(*kinds, options=RunOptions(out=folder))


def decoder(folder):
    from evalkit.jobs import engine_inline
    from evalkit.tasks.probe.decoder import ask_decoder

    trained = decoder_train(folder.parent / "trained")
    getattr(engine_inline.Inline, "made", []).clear()  # the contract looks at the run that asks
    return ask_decoder(folder.parent / "noisy", trained.path, options=RunOptions(out=folder, limit=6))


CASES |= {"probe-rounds": rounds, "decoder-train": decoder_train, "decoder": decoder}
