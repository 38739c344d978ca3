"""Methods that draw by the key: the model's distribution is unchanged, the test is exact with repeats, the mark is found."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.keys import known_key
from scipy.stats import chisquare, kstest

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.generators.base import Request, Step
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nar import Nar, NarConfig
from evalkit.generators.registry import Source
from evalkit.runs.store import read_run
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, build_mark, read_mark

METHODS = ("gumbel", "dipmark", "tournament")
LAW = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
V = 24
every = pytest.mark.parametrize("method", METHODS)


def mark_of(method, key=1, vocabulary=V, **numbers):
    return build_mark(MarkSpec(method, **numbers), Key(int(key).to_bytes(32, "big")), "t@x", vocabulary)


def own(count, seed=0):
    return torch.rand(1, count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def tiny(cls, codes=V):
    size = {"layers": 2, "heads": 2, "width": 16, "codes": codes, "classes": 5, "grid": 8}
    config = LlamaGenConfig(**size) if cls is LlamaGen else NarConfig(**size)
    torch.manual_seed(0)
    network = cls.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.2)
    return cls(Source("tiny", config, None, None, None, None, torch.device("cpu"), torch.float32), network)


@every
def test_over_keys_codes_have_the_models_own_probabilities(method):
    count = 6000  # places, each with numbers of its own, are as many keys
    mark = mark_of(method, 5, len(LAW))
    law = torch.from_numpy(LAW).expand(1, count, -1)
    codes = mark.draw(law, own(count), Step(0, range(count), torch.zeros(1, 0, dtype=torch.int64), (3,)))[0].numpy()
    assert chisquare(np.bincount(codes, minlength=len(LAW)), count * LAW).pvalue > 1e-3
    assert mark.colours(codes[:400], mark.list_of(3)).mean() > 0.6  # and yet they are marked


@every
def test_over_keys_two_codes_behind_the_same_code_are_independent(method):
    """The second time a context comes the image's own random numbers decide."""
    pairs, draws = np.zeros((len(LAW), len(LAW))), torch.rand(1500, 2, dtype=torch.float64)
    law = torch.from_numpy(LAW)[None, None]
    for key, both in enumerate(draws):
        mark = mark_of(method, key + 1, len(LAW), seeded="before", lists=1)
        first = mark.draw(law, both[:1, None], Step(1, range(1, 2), torch.tensor([[2]]), (0,)))
        again = Step(3, range(3, 4), torch.tensor([[2, int(first), 2]]), (0,))
        pairs[int(first), int(mark.draw(law, both[1:, None], again))] += 1
    expected = 1500 * np.outer(LAW, LAW)
    assert chisquare(pairs.ravel(), expected.ravel()).pvalue > 1e-3


@every
@pytest.mark.parametrize("seeded", ["places", "before"])
def test_p_is_uniform_over_keys_for_one_image_whose_contexts_repeat(method, seeded):
    image = np.random.default_rng(1).choice(V, 60, p=np.arange(V, 0, -1) / np.arange(V, 0, -1).sum())
    image[20:40] = 3
    marks = [mark_of(method, key + 1, seeded=seeded, lists=1) for key in range(600)]
    log_p = np.concatenate([mark.score(image[None]).log_p for mark in marks])
    for alpha in (0.3, 0.1, 0.02):
        assert (log_p <= np.log(alpha)).mean() <= alpha + 3.5 * np.sqrt(alpha / 600)
    if method != "dipmark":  # whose few coins allow few values of p
        assert kstest(np.exp(log_p), "uniform").pvalue > 1e-3
    distinct = int(marks[0].score(image[None]).distinct[0])
    assert distinct == (60 if seeded == "places" else len(np.unique(image[:-1])))


@every
def test_generated_images_are_found_and_with_no_other_key(method):
    model = tiny(LlamaGen)
    mark_generator(model, mark_of(method), None)
    codes = model.sample_tokens([Request(str(i), class_id=i % 5, seed=i) for i in range(8)]).numpy()
    found, other = mark_of(method).score(codes), mark_of(method, 2).score(codes)
    assert (found.log_p < np.log(1e-3)).all()
    assert (other.log_p > np.log(1e-3)).all()
    assert found.list_id.tolist() == [mark_of(method).list_of(seed) for seed in range(8)]
    unmarked = tiny(LlamaGen).sample_tokens([Request(str(i), class_id=i % 5, seed=i) for i in range(8)]).numpy()
    assert (mark_of(method).score(unmarked).log_p > np.log(1e-3)).all()


def test_any_order_of_codes_is_marked_by_place_and_refused_by_the_code_before():
    model = tiny(Nar)
    mark_generator(model, mark_of("gumbel"), None)
    codes = model.sample_tokens([Request("0", class_id=0)]).numpy()
    assert mark_of("gumbel").score(codes).log_p[0] < np.log(1e-3)
    model = tiny(Nar)
    mark_generator(model, mark_of("gumbel", seeded="before"), None)
    with pytest.raises(EvalkitError, match="give --seeded places"):
        model.sample_tokens([Request("0", class_id=0)])


def test_what_draws_takes_no_delta_and_what_biases_needs_one():
    with pytest.raises(EvalkitError, match="Leave it out"):
        mark_generator(tiny(LlamaGen), mark_of("gumbel"), 2.0)
    with pytest.raises(EvalkitError, match="by a delta"):
        mark_generator(tiny(LlamaGen), build_mark(MarkSpec(), Key(bytes(range(32))), "t@x", V), None)
    with pytest.raises(EvalkitError, match="while they are generated"):
        mark_of("tournament").green_places(0, 4)
    for numbers in ({"seeded": "sideways"}, {"layers": 65}):
        with pytest.raises(EvalkitError):
            MarkSpec("tournament", **numbers)
    with pytest.raises(EvalkitError, match="reweight"):
        MarkSpec("dipmark", reweight=0.7)


def test_acceleration_that_draws_ahead_is_refused():
    model = tiny(LlamaGen)
    mark_generator(model, mark_of("dipmark"), None)
    model.drawing = object()
    with pytest.raises(EvalkitError, match="Generate without acceleration"):
        model.sample_tokens([Request("0", class_id=0)])


def test_a_run_is_generated_and_detected_by_its_mark_json(tmp_path):
    known_key(tmp_path / "b.key")

    def called(*arguments):
        found = CliRunner().invoke(group, ["watermark", *map(str, arguments)])
        assert found.exit_code == 0, found.output
        return found.output

    called(
        "embed", "--model", "world-ar", "--prompts", "world", "--limit", 6, "--key", tmp_path / "b.key", "--method",
        "gumbel", "--guidance", 1, "--top-p", 1, "--temperature", 4, "--out", tmp_path / "marked",
    )  # fmt: skip
    out = tmp_path / "found"
    called(
        "detect", tmp_path / "marked/images", "--key", tmp_path / "b.key", "--mark", tmp_path / "marked", "--no-cache",
        "--out", out,
    )  # fmt: skip
    assert read_mark(tmp_path / "marked").embedding == {"how": "in generation", "delta": None}
    found = read_run(out).samples
    assert sorted(found["log10_p"].to_pylist())[2] < -5
    assert found["verdict"].to_pylist().count("detected") >= 4
