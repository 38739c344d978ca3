"""`first-scale` on next-scale models: the first scale alone is taught, and all methods of codes run on bits too."""

import pytest
import torch
from helpers.filled import generator, tokenizer
from safetensors.torch import load_file

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training.run import train
from evalkit.erasure.training.settings import Settings
from evalkit.erasure.training.spec import Training
from evalkit.errors import EvalkitError
from evalkit.generators.infinity import Infinity, InfinityConfig
from evalkit.generators.var import Var, VarConfig
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.var import Var as VarTokenizer
from evalkit.tokenizers.var import VarConfig as VarTokenizerConfig

QUICK = Settings(None, strength=0.01, retain=1.0, batch=2, epochs=2, learning_rate=1e-3)
GIVEN = tuple(
    Pair(f"{name} ab", f"{name} xyz", "style", "direct", "train", "ab", "t", "s") for name in ("a", "bb", "ccc")
)


def infinity():
    model = generator(
        Infinity,
        InfinityConfig(2, 32, 2, chunks=1, bits=4, grid=(16, 16), features=256, text_tokens=6),
        ((r"\.(proj|fc2)\.weight$", 0.3),),
    )
    model._use(((1, 1), (2, 2), (4, 3)), (64, 64))
    model.encode_conditions = texts
    model.weights_sha256 = None
    return model


def texts(requests):
    rows = [torch.randn(6, 256, generator=torch.Generator().manual_seed(sum(map(ord, r.prompt)))) for r in requests]
    return torch.cat([torch.stack(rows), torch.ones(len(rows), 6, 1)], 2)


def run(out, method, settings=QUICK):
    spec = Training("infinity-2b", method, GIVEN, out, ("d e", "f"), settings, device="cpu")
    return train(spec, base=infinity())


@pytest.mark.parametrize("method", ["first-scale", "replace+retain", "gradient-ascent", "masked-kl"])
def test_methods_of_codes_train_models_of_scales(tmp_path, method):
    done = run(tmp_path, method)
    before, after = infinity().network.state_dict(), load_file(done.weights)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".sa." in name or ".ca." in name for name in changed)
    assert done.facts["steps"] == 4


def test_the_first_scale_alone_decides(tmp_path, monkeypatch):
    once = load_file(run(tmp_path / "a", "first-scale").weights)
    sample = Infinity._tokens

    def other(self, *given):
        codes, evaluations = sample(self, *given)
        codes[:, 1:] = 1 - codes[:, 1:]  # all scales but the first
        return codes, evaluations

    monkeypatch.setattr(Infinity, "_tokens", other)
    again = load_file(run(tmp_path / "b", "first-scale").weights)
    assert all(torch.equal(once[name], again[name]) for name in once)
    whole = load_file(run(tmp_path / "c", "replace").weights)
    monkeypatch.setattr(Infinity, "_tokens", sample)
    plain = load_file(run(tmp_path / "d", "replace").weights)
    assert any(not torch.equal(whole[name], plain[name]) for name in plain)


def test_entropy_is_paid_for_and_ear_does_not_know_scales(tmp_path):
    flat = run(tmp_path / "a", "first-scale", Settings(None, strength=5.0, batch=3, epochs=6, learning_rate=1e-2))
    assert flat.facts["losses"][-1] < flat.facts["losses"][0]
    with pytest.raises(EvalkitError, match="scale after scale"):
        run(tmp_path / "b", "ear")


def test_var_is_trained_on_classes_and_its_tokenizer_is_only_read(tmp_path):
    scales = (1, 2, 3)
    model = generator(Var, VarConfig(2, scales, head=8, codes=24, dim=8, classes=5))
    net = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=8, attention=frozenset(), fused=True)
    model._tokenizer = tokenizer(VarTokenizer, VarTokenizerConfig(scales, net, 24))
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    given = tuple(
        Pair(f"class {a}", f"class {b}", "object", "direct", "train", "class 1", "t", "s") for a, b in ((1, 2), (1, 3))
    )
    for method in ("first-scale", "replace+retain"):
        settings = Settings((0, 0), strength=0.01, retain=1.0, learning_rate=1e-3)
        spec = Training("var-d16", method, given, tmp_path / method, ("class 0", "class 4"), settings, device="cpu")
        after = load_file(train(spec, base=model).weights)
        changed = {name for name in after if not torch.equal(before[name], after[name])}
        assert changed
        assert all(name.startswith("blocks.0.attn.") for name in changed)
