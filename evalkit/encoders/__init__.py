"""Networks that look at images: features, perceptual distances, text, faces."""

from evalkit.encoders.base import EXTRACTORS, FeatureExtractor, load_extractor
from evalkit.encoders.faces import Face, YunetFaces, load_faces
from evalkit.encoders.lpips import Lpips, load_lpips
from evalkit.encoders.ocr import Ocr, OcrText, load_ocr

__all__ = [
    "EXTRACTORS",
    "Face",
    "FeatureExtractor",
    "Lpips",
    "Ocr",
    "OcrText",
    "YunetFaces",
    "load_extractor",
    "load_faces",
    "load_lpips",
    "load_ocr",
]
