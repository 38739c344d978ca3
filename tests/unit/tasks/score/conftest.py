import numpy as np
import pytest
from PIL import Image

from evalkit.encoders.kept_features import Identity
from evalkit.encoders.set_encoder import INCEPTION, SPECTRUM
from evalkit.encoders.spectrum import radial_spectrum
from evalkit.metrics.sets.composition import LOGITS, POOL, SPATIAL
from evalkit.tasks.score import task as score_task


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test is helped by what another one kept."""
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))


def folder_of(path, n, seed, shift=0, side=24):
    path.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        pixels = np.clip(rng.normal(110 + shift, 40, (side, side + i // 5 % 2, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path / f"{i:03d}.png")
    return path


@pytest.fixture
def sets(tmp_path):
    """Two folders of noise, 14 and 12 images of two sizes."""
    return folder_of(tmp_path / "made", 14, 0, 12), folder_of(tmp_path / "real", 12, 1)


class Colours:
    """Stands for the FID network: a few numbers of each image's colours."""

    def __init__(self, heads, protocol, *, device="auto", weights=None):
        self.heads, self.protocol = heads, protocol

    def identities(self):
        return {head: Identity("colours 1", "0" * 64, self.protocol.id) for head in self.heads}

    def put_away(self):
        pass

    def __call__(self, images):
        x = images.numpy().astype(np.float32)
        moments = np.concatenate([x.mean((2, 3)), x.std((2, 3))], 1)
        logits = np.zeros((len(x), 4), np.float32)
        logits[np.arange(len(x)), (moments[:, 0] // 64).astype(int).clip(0, 3)] = 9
        given = {
            SPECTRUM: radial_spectrum(images).numpy().astype(np.float32),
            POOL: moments,
            SPATIAL: x[:, :, 0, :4].reshape(len(x), -1),
            LOGITS: logits,
        }
        return {head: given[head] for head in self.heads}


@pytest.fixture
def colours(monkeypatch, tmp_path):
    """`--weights` of the FID network, which `Colours` then stands for."""
    monkeypatch.setattr(score_task, "SetEncoder", Colours)
    file = tmp_path / "weights" / "pt_inception-2015-12-05-6726825d.pth"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    return (f"{INCEPTION}={file}",)
