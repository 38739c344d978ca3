"""The spectrum of a large image is that of its middle."""

import torch

from evalkit.encoders import spectrum


def test_a_large_image_is_looked_at_in_its_middle(monkeypatch):
    x = torch.randint(0, 256, (1, 3, 70, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(spectrum, "SIDE", 32)
    whole = spectrum.radial_spectrum(x)
    monkeypatch.setattr(spectrum, "WHOLE", 2000)
    middle = spectrum.radial_spectrum(x)
    assert torch.equal(middle, spectrum.radial_spectrum(x[:, :, 19:51, 4:36]))
    assert not torch.equal(middle, whole)
