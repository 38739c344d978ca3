"""What is known of an encoder without loading it is what it says once it is loaded."""

import subprocess
import sys

import pytest

from evalkit.encoders.described import described
from evalkit.encoders.registry import load_encoder
from evalkit.errors import MissingDependency, WeightsError

WITHOUT = """
import sys
from evalkit.encoders.described import described
found = [described(name) for name in ("efflite0", "yunet-s")]
print(all(found), "torch" in sys.modules)
"""


@pytest.mark.parametrize("name", ["efflite0", "yunet-s"])
def test_weights_are_those_of_the_loaded_network(name):
    assert described(name).weights_sha256 == load_encoder(name, device="cpu").weights_sha256


def test_missing_weights_and_packages_are_told_as_when_it_is_loaded(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    with pytest.raises(WeightsError) as loaded:
        load_encoder("lpips-alex", device="cpu")
    with pytest.raises(WeightsError, match="alexnet") as told:
        described("lpips-alex")
    assert str(told.value) == str(loaded.value)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency):
        described("rapidocr")


def test_what_no_file_describes_is_not_described():
    assert described("ocr:http:http://localhost:1/v1#model") is None


def test_torch_is_not_loaded():
    done = subprocess.run([sys.executable, "-c", WITHOUT], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"]
