"""Marks made while generating: green codes in every kind of native runner, in the file on disk, and in the record."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.flexvar import FlexVar, FlexVarConfig
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nar import Nar, NarConfig
from evalkit.generators.registry import Source, load_generator
from evalkit.generators.sampling import Sampler
from evalkit.generators.var import Var, VarConfig
from evalkit.images import open_images
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions
from evalkit.prompts.load import load_prompts
from evalkit.tasks.generate import generate_images
from evalkit.tokenizers.flexvar import FlexVar as FlexVarTokenizer
from evalkit.tokenizers.llamagen import LlamaGenConfig as VqConfig
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.tokenizers.var import Var as VarTokenizer
from evalkit.tokenizers.var import VarConfig as VarTokenizerConfig
from evalkit.watermark.attacks.sizes import to_tensor
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.embed import generate_marked
from evalkit.watermark.embed.generation import _prepare, tokenizer_of
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, Several, build_mark, mark_for, read_mark

KEY = Key(bytes(range(32)))
HARD = float("inf")
SCALES, SMALL = (1, 2, 3), {"layers": 2, "heads": 2, "width": 16, "codes": 24, "classes": 5}
NET = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=8, attention=frozenset(), fused=True)
FAMILIES = {
    "llamagen": (LlamaGen, LlamaGenConfig(**SMALL, grid=3)),  # next token
    "nar": (Nar, NarConfig(**SMALL, grid=3)),  # several codes a step, in an order of its own
    "var": (Var, VarConfig(2, SCALES, head=8, codes=24, dim=8, classes=5)),  # next scale
    "flexvar": (FlexVar, FlexVarConfig(2, head=8, codes=24, dim=8, classes=5, table=8)),
}


def tiny(name):
    cls, config = FAMILIES[name]
    torch.manual_seed(0)
    network = cls.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.2)
    model = cls(Source("tiny", config, None, None, None, None, torch.device("cpu"), torch.float32), network)
    if cls is Var:
        settings = VarTokenizerConfig(SCALES, NET, 24)
        model._tokenizer = VarTokenizer(
            "tiny", settings, VarTokenizer.build(settings), torch.device("cpu"), torch.float32
        )
    elif cls is FlexVar:
        settings = VqConfig(mult=(1, 1, 1, 1, 1), codes=24, code_dim=8, ch=32, blocks=1, z=32)
        built = FlexVarTokenizer.build(settings)
        model._tokenizer = FlexVarTokenizer("tiny", settings, built, torch.device("cpu"), torch.float32)
        model.use_scales(SCALES)
    return model


def asked(n, sampler=None):
    return [Request(str(i), class_id=i % 5, seed=i, sampler=sampler) for i in range(n)]


def green_share(mark, codes, seeds):
    rows = zip(codes, seeds, strict=True)
    return np.mean([mark.colours(np.asarray(row), mark.list_of(seed)).mean() for row, seed in rows])


@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_of_runner_draws_more_green_codes_and_under_hard_bias_nothing_else(name):
    mark = build_mark(MarkSpec(lists=4), KEY, "t@x", 24)
    shares = {}
    for delta in (None, 2.0, HARD):
        model = tiny(name)
        if delta is not None:
            mark_generator(model, mark, delta)
        shares[delta] = green_share(mark, model.sample_tokens(asked(16)), range(16))
    assert shares[None] < 0.75
    assert shares[None] + 0.1 < shares[2.0] < 1
    assert shares[HARD] == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_sampling_takes_the_likeliest_green_code(name):
    mark = build_mark(MarkSpec(lists=2), KEY, "t@x", 24)
    model = tiny(name)
    mark_generator(model, mark, HARD)
    codes = model.sample_tokens(asked(4, Sampler(top_k=1)))
    assert green_share(mark, codes, range(4)) == 1


@pytest.mark.parametrize("until", [None, 1e-2])
def test_a_marked_image_does_not_depend_on_its_batch(until):
    mark = build_mark(MarkSpec(lists=4), KEY, "t@x", 24)
    model = tiny("var")
    mark_generator(model, mark, 2.0, until)
    together = model.sample_tokens(asked(6))
    alone = torch.cat([model.sample_tokens([each]) for each in asked(6)])
    assert torch.equal(together, alone)


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """16 images of the world, marked under a pool of 16 lists."""
    out = tmp_path_factory.mktemp("marked") / "run"
    return marked_run(out)


def marked_run(out, delta=6.0, limit=16, lists=16):
    def build(tokenizer):
        return mark_for(MarkSpec(lists=lists), KEY, tokenizer)

    return generate_marked("world-ar", "world", build, delta, options=RunOptions(out=out, device="cpu", limit=limit))


def test_images_on_disk_are_greener_than_the_same_ones_unmarked(marked, tmp_path):
    world = load_tokenizer("world-vq", device="cpu")
    mark = mark_for(MarkSpec(lists=16), KEY, world)
    plain = generate_images("world-ar", "world", options=RunOptions(out=tmp_path / "plain", device="cpu", limit=16))
    seeds = plain.samples["seed"].to_pylist()
    assert marked.samples["seed"].to_pylist() == seeds
    shares = []
    for run in (plain, marked):
        images = [each.image for each in open_images(str(run.path / "images")).read(0, 16)]
        shares.append(green_share(mark, world.encode(to_tensor(images)).indices.numpy(), seeds))
    assert shares[1] > shares[0] + 0.1
    generator = load_generator("world-ar", device="cpu")
    mark_generator(generator, mark, 6.0)
    prompts = marked.samples["prompt"].to_pylist()
    drawn = generator.sample_tokens([Request(p, p, seed=s) for p, s in zip(prompts, seeds, strict=True)])
    assert green_share(mark, drawn, seeds) >= shares[1]  # some are lost between codes and pixels


def test_the_record_says_which_mark_and_list_and_never_the_key(marked):
    found = read_mark(marked.path)
    assert found.key_id == KEY.id
    assert found.tokenizer_name == "world-vq"
    assert found.embedding == {"how": "in generation", "delta": 6.0}
    lines = [json.loads(line) for line in (marked.path / "manifest.jsonl").read_text().splitlines()]
    mark = mark_for(found.spec, KEY, load_tokenizer("world-vq", device="cpu"))
    assert [line["notes"]["watermark_list"] for line in lines] == [mark.list_of(line["seed"]) for line in lines]
    assert len({line["notes"]["watermark_list"] for line in lines}) > 6
    assert lines[0]["processors"][0]["key_id"] == KEY.id
    assert marked.record["plan"]["parameters"]["processors"][0]["delta"] == 6.0
    assert "mark.json" in marked.record["files"]
    for file in marked.path.rglob("*"):
        assert not file.is_file() or KEY.secret.hex().encode() not in file.read_bytes()


def test_the_same_call_reads_the_run_back_and_another_mark_does_not_mix_with_it(marked):
    assert marked_run(marked.path).samples.equals(marked.samples)
    with pytest.raises(EvalkitError, match="holds another run"):
        marked_run(marked.path, delta=7.0)
    with pytest.raises(EvalkitError, match="holds another run"):
        generate_images("world-ar", "world", options=RunOptions(out=marked.path, device="cpu", limit=16))


def test_a_bias_until_a_p_is_recorded_and_regenerates_the_same_images(tmp_path):
    def build(tokenizer):
        return mark_for(MarkSpec(), KEY, tokenizer)

    options = RunOptions(out=tmp_path / "run", device="cpu", limit=2)
    run = generate_marked("world-ar", "world", build, 4.0, until=1e-2, options=options)
    assert read_mark(run.path).embedding == {"how": "in generation", "delta": 4.0, "until": 1e-2}
    assert run.record["plan"]["parameters"]["processors"][0]["until"] == 1e-2
    said = dict(run.record["plan"]["parameters"]["processors"][0])
    generator = load_generator("world-ar", device="cpu")
    mark = build(tokenizer_of(generator))
    _prepare(generator, said, {"mark": hold(mark)})
    rows = run.samples.to_pylist()
    images = generator.generate([Request(row["id"], row["prompt"], seed=row["seed"]) for row in rows])
    stored = [each.image for each in open_images(str(run.path / "images")).read(0, 2)]
    assert all(np.array_equal(made.pixels, kept) for made, kept in zip(images, stored, strict=True))
    with pytest.raises(EvalkitError, match="holds another run"):
        generate_marked("world-ar", "world", build, 4.0, until=1e-3, options=options)


def test_what_cannot_be_marked_is_said_before_any_work(tmp_path):
    world = load_tokenizer("world-vq", device="cpu")
    generator = load_generator("world-ar", device="cpu")
    several = Several([mark_for(MarkSpec(epoch=e), KEY, world) for e in "ab"])
    with pytest.raises(EvalkitError, match="an image gets one mark"):
        generate_marked(generator, load_prompts("text:a picture of an apple"), lambda _: several, 2.0)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(EvalkitError, match="does not choose discrete codes"):
        tokenizer_of(load_generator(f"folder:{tmp_path}"))
    generator.vocab_size = 7
    with pytest.raises(EvalkitError, match="chooses among 7 codes and world-vq reads 1024"):
        tokenizer_of(generator)
