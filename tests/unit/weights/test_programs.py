"""Programs in weight files: arithmetic passes, and what acts is refused, however it is spelt."""

import re
import zipfile

import pytest
import torch
from torch import nn

from evalkit.errors import WeightsError
from evalkit.weights.programs import CONSENT, check_consent
from evalkit.weights.reading import file_sha256

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")


class Gate(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class Plain(nn.Module):
    """The parts that image tokenizers are made of."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"),
            nn.GroupNorm(2, 8),
            Gate(),
            nn.Upsample(scale_factor=2.0),
            nn.ConvTranspose2d(8, 6, 2, 2),
            nn.LayerNorm(16),
            nn.Dropout(0.1),
        )
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.table = nn.Embedding(10, 6)
        self.levels = [8, 5]

    def forward(self, x):
        b, _, h, _ = x.shape
        if h % 2:
            raise ValueError(f"{h} is odd")
        y = self.body(x).permute(0, 2, 3, 1).reshape(b, -1, 6)
        y, _ = self.attention(y, y, y)
        z = torch.einsum("bnc,bmc->bnm", y, y).softmax(-1)
        for level in self.levels:
            y = torch.tanh(y) * (level - 1) / 2
        indices = (y.round().long() % 10).argmax(-1).to(torch.int32)
        return indices, self.table(indices), z.mean()


def check(folder, monkeypatch):
    monkeypatch.setenv(CONSENT, file_sha256(folder))
    check_consent("cosmos-di8", folder)


@pytest.mark.parametrize("way", ["script", "trace", "freeze"])
def test_the_parts_of_image_tokenizers_may_run(way, tmp_path, monkeypatch):
    model = Plain().eval()
    if way == "trace":
        made = torch.jit.trace(model, torch.rand(1, 3, 4, 4), check_trace=False)
    else:
        made = torch.jit.script(model)
        made = torch.jit.freeze(made) if way == "freeze" else made
    made.save(str(tmp_path / "encoder.jit"))
    check(tmp_path, monkeypatch)


def forged(tmp_path, line, *, more=""):
    """A program of torch's own form whose `forward` has this line, and whose source has `more` at its end."""
    whole = tmp_path / "whole.pt"
    torch.jit.script(Gate()).save(str(whole))
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(tmp_path / "encoder.jit", "w") as after:
        for member in before.infolist():
            data = before.read(member)
            if member.filename.endswith(".py"):
                text = data.decode()
                at = text.index("    return ")
                data = (text[:at] + f"    {line}\n" + text[at:] + more).encode()
            after.writestr(member.filename, data)
    whole.unlink()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('_0 = torch.from_file("a", True, 4)', "torch.from_file"),
        ('torch.save(x, "a")', "torch.save"),
        ('ops.aten.save(x, "a")', "ops.aten.save"),
        ('(x).save("a")', "save"),
        ('getattr(x, "save")("a")', "save"),
        ('getattr(x, "sa\\x76e")("a")', "save"),
        ('_0 = getattr\n    _0(x, "save")("a")', "getattr"),
        ('_0 = torch\n    _0.from_file("a")', "from_file"),
        ("_0 = ops\n    _0.image.read_file(x)", "ops"),
        ("_0 = ops.image\n    _0.read_file(x)", "ops.image"),
        ('_0 = ops.image.write_file("a", x)', "ops.image"),
        ('print("a")', "print"),
        ("_0 = fork(self.forward, x)", "fork"),
        ("torch.manual_seed(1)", "torch.manual_seed"),
        ("torch.set_num_threads(1)", "torch.set_num_threads"),
        ("torch.as_strided(x, [9], [9], 9)", "torch.as_strided"),
        ("(x).set_(x)", "set_"),
        ("_0 = __torch__.torch.classes.a.B()", "__torch__.torch.classes"),
        ("import os", "import os"),
        ("_0 = ops.prim.PythonOp(x)", "ops.prim.PythonOp"),
    ],
)
def test_programs_that_act_are_refused_by_the_name_of_what_they_call(line, said, tmp_path, monkeypatch):
    forged(tmp_path, line)
    with pytest.raises(WeightsError, match=rf"encoder\.jit calls {re.escape(said)}[\w.]*, which no tokenizer needs"):
        check(tmp_path, monkeypatch)


def test_what_runs_at_loading_is_looked_at_too(tmp_path, monkeypatch):
    more = '  def __setstate__(self: __torch__.Gate,\n    x: Tensor) -> NoneType:\n    torch.save(x, "a")\n    return None\n'
    forged(tmp_path, "pass", more=more)
    with pytest.raises(WeightsError, match=r"calls torch\.save"):
        check(tmp_path, monkeypatch)


def test_a_function_may_not_hide_an_operator(tmp_path, monkeypatch):
    forged(tmp_path, "pass", more="def save(x: Tensor) -> Tensor:\n  return x\n")
    with pytest.raises(WeightsError, match="calls save"):
        check(tmp_path, monkeypatch)


@pytest.mark.parametrize("content", [b"", b"cut", b"\x18\0\0\0PTMF" + bytes(64), b"PK\3\4" + bytes(40)])
def test_what_is_no_archive_of_source_never_reaches_torch(content, tmp_path, monkeypatch):
    (tmp_path / "encoder.jit").write_bytes(content)
    with pytest.raises(WeightsError, match=r"no whole TorchScript file"):
        check(tmp_path, monkeypatch)


@pytest.mark.parametrize("line", ["x = ﬁle", "_0 = (", "_0 = 1\f", "_0 = " + "(" * 5000 + ")" * 5000])
def test_source_that_two_readers_could_read_in_two_ways_is_refused(line, tmp_path, monkeypatch):
    forged(tmp_path, line)
    with pytest.raises(WeightsError, match=r"TorchScript file|nested deeper"):
        check(tmp_path, monkeypatch)
