"""Mask2Former's numbers on a known photograph, where its weights and the photograph are at hand.

`EVALKIT_GOLDENS` names a folder with `000000039769.png` (COCO val2017, as transformers' own tests hold it), and
`EVALKIT_WEIGHTS` one with facebook/mask2former-swin-small-coco-instance. The numbers are those of transformers' test.
"""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as F

from evalkit.encoders.detectors.mask2former import KEY, _network
from evalkit.errors import EvalkitError
from evalkit.weights.find import find_weights

PHOTO = Path(os.environ.get("EVALKIT_GOLDENS", ".")) / "000000039769.png"
MASKS = [[-8.7839, -9.0056, -8.8121], [-7.4104, -7.0313, -6.5401], [-6.6105, -6.3427, -6.4675]]
CLASSES = [[1.8324, -8.0835, -4.1922], [0.8450, -9.0050, -3.6053], [0.3045, -7.7293, -3.0275]]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def weights():
    try:
        return find_weights(KEY, None, download=False)
    except (EvalkitError, TypeError):
        return None


@pytest.mark.skipif(not PHOTO.is_file(), reason="EVALKIT_GOLDENS holds no 000000039769.png")
def test_logits_are_those_that_transformers_states():
    folder = weights()
    if folder is None:
        pytest.skip("the weights of Mask2Former are not at hand")
    image = Image.open(PHOTO).convert("RGB").resize((384, 384), Image.Resampling.BILINEAR)
    x = F.normalize(F.to_tensor(image), MEAN, STD)[None]
    with torch.inference_mode():
        out = _network(folder)(pixel_values=x)
    torch.testing.assert_close(out.masks_queries_logits[0, 0, :3, :3], torch.tensor(MASKS), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(out.class_queries_logits[0, :3, :3], torch.tensor(CLASSES), atol=1e-3, rtol=1e-4)
