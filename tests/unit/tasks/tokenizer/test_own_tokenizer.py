"""A tokenizer of the user's own, with weights of its own: found by name, and never taken for an earlier one."""

import hashlib
import importlib.util

import pytest
import torch

from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer import spec as tokenizer_spec
from evalkit.tokenizers.registry import TOKENIZERS

CLASS = """
import torch
from torch import nn
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register

class Patches(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(3, 8, 8, 8), nn.ConvTranspose2d(8, 3, 8, 8)
        self.codebook = nn.Embedding(16, 8)

@register("patches", weights="patches.pt")
class PatchTokenizer(NetworkTokenizer):
    architecture, vocab_size, multiple = Patches, 16, 8

    def _encode(self, x):
        found = self.network.encoder(x)
        distances = torch.cdist(found.flatten(2).mT, self.network.codebook.weight)
        return Codes(indices=distances.argmin(-1), grid=tuple(found.shape[-2:]))

    def _decode(self, codes, seed, noise):
        found = self.network.codebook(codes.indices).mT.unflatten(2, codes.map_grid())
        return self.network.decoder(found)
"""


@pytest.fixture
def define(tmp_path, monkeypatch):
    """Reads the user's file anew, as a new process does."""
    list(TOKENIZERS)
    before = dict(TOKENIZERS._items)

    def read(text=CLASS):
        monkeypatch.setattr(TOKENIZERS, "_items", dict(before))
        path = tmp_path / "mine.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("mine", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return read


@pytest.fixture
def weights(define, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "patches.pt"
    torch.save(define().Patches(None).state_dict(), path)
    return path


def evaluate(tmp_path, **given):
    options = RunOptions(out=tmp_path / "run", limit=2, keep="none", device="cpu", **given)
    (run,) = evaluate_tokenizer("patches", "sample/photos", tasks=["reconstruction"], options=options)
    return run


@pytest.mark.parametrize("kind", ["a file", "a mapping", "the environment"])
def test_weights_of_ones_own_are_found_and_their_digest_is_recorded(tmp_path, weights, monkeypatch, kind):
    monkeypatch.setenv("EVALKIT_WEIGHTS", str(tmp_path if kind == "the environment" else tmp_path / "none"))
    given = {"a file": {"weights": weights}, "a mapping": {"weights": {"patches": weights}}}.get(kind, {})
    run = evaluate(tmp_path, **given)
    assert run.record["model"]["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert {"psnr", "bpp"} <= {row["metric"] for row in run.results if row["status"] == "ok"}


def test_weights_that_are_not_there_are_asked_for_by_their_name(define, tmp_path):
    define()
    with pytest.raises(WeightsError, match=r"patches\.pt are not here.*--weights PATH"):
        evaluate(tmp_path)


def test_a_run_of_an_edited_class_or_other_weights_is_another_run(define, tmp_path, weights):
    first = evaluate(tmp_path, weights=weights)
    define()  # read again, and the same
    assert evaluate(tmp_path, weights=weights).record == first.record
    define(CLASS.replace("self.network.decoder(found)", "self.network.decoder(found) * 0.5"))
    with pytest.raises(EvalkitError, match=r"holds another run \(the Python file that defines model"):
        evaluate(tmp_path, weights=weights)
    torch.manual_seed(1)
    torch.save(define().Patches(None).state_dict(), weights)
    with pytest.raises(EvalkitError, match=r"holds another run \(weights of model"):
        evaluate(tmp_path, weights=weights)


def test_a_run_with_a_further_metric_of_ones_own_is_another_run(tmp_path, weights, monkeypatch):
    evaluate(tmp_path, weights=weights)
    monkeypatch.setattr(tokenizer_spec, "foreign_metrics", lambda tasks: {"grain": "its digest"})
    with pytest.raises(EvalkitError, match=r"holds another run \(metrics"):
        evaluate(tmp_path, weights=weights)


def test_a_model_in_the_place_of_its_name_is_one_sentence(define, tmp_path):
    mine = define()
    model = mine.PatchTokenizer("patches", None, mine.Patches(None), torch.device("cpu"), torch.float32)
    with pytest.raises(EvalkitError, match="given by their names, and this is a PatchTokenizer itself"):
        evaluate_tokenizer(model, "sample/photos")
