"""Networks that look at pictures: features, perceptual distances, text."""

from evalkit.encoders.base import EXTRACTORS, FeatureExtractor, load_extractor
from evalkit.encoders.lpips import Lpips, load_lpips
from evalkit.encoders.ocr import Ocr, OcrText, load_ocr

__all__ = ["EXTRACTORS", "FeatureExtractor", "Lpips", "Ocr", "OcrText", "load_extractor", "load_lpips", "load_ocr"]
