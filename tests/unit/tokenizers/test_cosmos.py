"""Cosmos: programs in the official files' form (indices, features, loss), made here by torch.jit."""

import pytest
import torch
from helpers.near import same
from torch import nn

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.cosmos import Cosmos, CosmosConfig
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.weights.programs import CONSENT
from evalkit.weights.reading import file_sha256

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")


class Encode(nn.Module):
    def __init__(self, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, stride, stride)

    def forward(self, x):
        z = self.conv(x)
        return z.argmax(1).to(torch.int32), z, z.mean()


class Decode(nn.Module):
    def __init__(self, stride: int):
        super().__init__()
        self.table = nn.Embedding(6, 5)
        self.conv = nn.ConvTranspose2d(5, 3, stride, stride)

    def forward(self, indices):
        return self.conv(self.table(indices).permute(0, 3, 1, 2))


def write(folder, stride, precision):
    torch.manual_seed(0)
    encoder, decoder = Encode(stride).to(precision), Decode(stride).to(precision)
    torch.jit.script(encoder).save(str(folder / "encoder.jit"))
    torch.jit.script(decoder).save(str(folder / "decoder.jit"))
    return encoder, decoder


@torch.no_grad()
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stride", [8, 16])
def test_codes_and_images_are_the_programs(tmp_path, stride, precision, monkeypatch):
    encoder, decoder = write(tmp_path, stride, precision)
    monkeypatch.setenv(CONSENT, file_sha256(tmp_path))
    model = load_tokenizer(f"cosmos-di{stride}", tmp_path, device="cpu", dtype="bfloat16")
    x = torch.rand(2, 3, 32, 48)
    codes = model.encode(x)
    wanted = encoder((x * 2 - 1).to(precision))[0]
    assert torch.equal(codes.indices, wanted.flatten(1).long())
    assert codes.indices.shape[1] == model.tokens_per_image(32, 48)
    shown = model.decode(codes)
    assert shown.dtype == torch.float32
    same(shown, (decoder(wanted).float() + 1) / 2)
    assert model.vocab_size == 64000
    assert len(model.weights_sha256) == 64


def test_the_other_strides_folder_is_refused(tmp_path, monkeypatch):
    write(tmp_path, 8, torch.float32)
    monkeypatch.setenv(CONSENT, f"{'0' * 64}, {file_sha256(tmp_path)}")
    model = load_tokenizer("cosmos-di16", tmp_path, device="cpu")
    with pytest.raises(WeightsError, match=r"gives \(4, 4\) codes for \(32, 32\) pixels, cosmos-di16 has \(2, 2\)"):
        model.encode(torch.rand(1, 3, 32, 32))


def test_files_that_are_no_programs_are_one_sentence(tmp_path, monkeypatch):
    write(tmp_path, 8, torch.float32)
    (tmp_path / "decoder.jit").write_bytes(b"cut")
    monkeypatch.setenv(CONSENT, file_sha256(tmp_path))
    with pytest.raises(WeightsError, match=r"decoder\.jit is no whole TorchScript file"):
        load_tokenizer("cosmos-di8", tmp_path)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "decoder.jit")
    monkeypatch.setenv(CONSENT, file_sha256(tmp_path))
    with pytest.raises(WeightsError, match=r"decoder\.jit is no whole TorchScript file"):
        load_tokenizer("cosmos-di8", tmp_path)


def test_it_is_built_from_its_folder_only():
    with pytest.raises(EvalkitError, match="is built from its folder"):
        Cosmos.build(CosmosConfig(8))


def test_a_program_that_nobody_agreed_to_is_not_run(tmp_path, monkeypatch):
    write(tmp_path, 8, torch.float32)
    monkeypatch.delenv(CONSENT, raising=False)
    with pytest.raises(WeightsError, match=f"export {CONSENT}={file_sha256(tmp_path)}"):
        load_tokenizer("cosmos-di8", tmp_path)
    monkeypatch.setenv(CONSENT, file_sha256(tmp_path))
    with (tmp_path / "decoder.jit").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(WeightsError, match="code and not known here"):
        load_tokenizer("cosmos-di8", tmp_path)


class Opens(nn.Module):
    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x):
        return torch.from_file(self.path, True, 4)


def test_a_program_that_opens_files_is_refused_even_with_consent(tmp_path, monkeypatch):
    victim = tmp_path / "thesis.txt"
    victim.write_text("words")
    (tmp_path / "weights").mkdir()
    for name in ("encoder.jit", "decoder.jit"):
        torch.jit.script(Opens(str(victim))).save(str(tmp_path / "weights" / name))
    monkeypatch.setenv(CONSENT, file_sha256(tmp_path / "weights"))
    with pytest.raises(WeightsError, match=r"calls torch\.from_file"):
        load_tokenizer("cosmos-di8", tmp_path / "weights", device="cpu")
    assert victim.read_text() == "words"
