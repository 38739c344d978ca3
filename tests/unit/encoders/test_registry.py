"""One registry for all encoders: found by name without an import, of the kind that the list promises."""

import subprocess
import sys
import tomllib
from importlib.resources import files

import pytest

from evalkit.encoders.base import Encoder
from evalkit.encoders.registry import ENCODERS, encoder_entry, encoder_names, load_encoder
from evalkit.errors import EvalkitError

LISTED = tomllib.loads((files("evalkit.encoders") / "encoders.toml").read_text(encoding="utf-8"))
KINDS = {name: kind for kind, part in LISTED.items() if kind not in ("aliases", "patterns", "weights") for name in part}


def test_names_are_listed_and_resolved_without_importing_a_network():
    script = (
        "import sys; from evalkit.encoders.registry import ENCODERS, encoder_names, load_encoder\n"
        "assert len(list(ENCODERS)) > 10 and ENCODERS.canonical('clip-vitl14'); encoder_names('features')\n"
        "own = {name for name in sys.modules if name.startswith('evalkit.encoders.')}\n"
        "load_encoder('yunet-s', device='cpu')\n"
        "print(*sorted({n for n in sys.modules if n.startswith('evalkit.encoders.')} - own))\n"
        "print(*sorted(own))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split("\n")
    assert said[0].split() == ["evalkit.encoders.faces.detect", "evalkit.encoders.faces.yunet"]
    contracts = (
        "base",
        "detectors",
        "detectors.base",
        "detectors.detection",
        "detectors.rle",
        "faces",
        "faces.face",
        "registry",
    )
    assert said[1].split() == [f"evalkit.encoders.{name}" for name in contracts]


@pytest.mark.parametrize("name", KINDS)
def test_each_listed_encoder_is_registered_by_its_module_as_the_kind_of_its_list(name):
    assert ENCODERS.get(name).kind == KINDS[name]
    assert name in encoder_names(KINDS[name])


@pytest.mark.parametrize("name", ["efflite0", "yunet-s", "rapidocr", "ocr:http:http://localhost:1/v1#some"])
def test_an_encoder_says_who_it_is(name):
    encoder = load_encoder(name, device="cpu")
    assert isinstance(encoder, Encoder)
    assert encoder.kind == ENCODERS.get(name).kind
    assert encoder.id
    assert encoder.version
    assert (encoder.weights_sha256 is None) == name.startswith("ocr:http")
    assert encoder.facts == {
        "encoder": encoder.id,
        "version": encoder.version,
        "weights_sha256": encoder.weights_sha256,
    }


def test_an_encoder_of_another_kind_is_refused_by_name():
    with pytest.raises(EvalkitError, match=r"yunet-s gives boxes, not features; give one of clip-vitb32"):
        encoder_entry("yunet-s", "features")


@pytest.mark.parametrize("name", ["yunet-s", "rapidocr", "ocr:http:http://localhost:1/v1#some"])
def test_weights_for_an_encoder_that_brings_its_own_are_refused(name, tmp_path):
    with pytest.raises(EvalkitError, match="comes with its weights"):
        load_encoder(name, tmp_path / "w.pth", "cpu")
