"""`rapidocr`: text read by PP-OCRv6 through onnxruntime, with the models of rapidocr's wheel."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.encoders.base import Ocr, OcrText
from evalkit.encoders.registry import register, shipped
from evalkit.errors import EvalkitError, MissingDependency
from evalkit.freed import give_back
from evalkit.images.sample import Pixels

if TYPE_CHECKING:
    import torch

MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}
THREADS = min(4, os.cpu_count() or 1)


@register("rapidocr", "text")
class RapidOcr(Ocr):
    """PP-OCRv6 small through rapidocr and onnxruntime; the models lie in rapidocr's wheel, so nothing is fetched.

    Its recogniser reads Latin letters, digits, Chinese and Japanese; other scripts come out wrong or empty, for
    originals as for reconstructions. Sessions get few threads that do not spin while they wait, because spinning ones
    slow torch in the same process many times. One engine serves one thread at a time (a lock sees to it).
    """

    id = "rapidocr"

    def __init__(self, weights: str | Path | None = None, device: torch.device | None = None) -> None:
        """It runs on the CPU, whatever the device."""
        shipped(self.id, weights)
        try:
            import onnxruntime
            import rapidocr
        except ImportError:
            raise MissingDependency("reading text", "test") from None
        self.version = importlib.metadata.version("rapidocr")
        folder = _models_folder()
        self.weights_sha256 = _digest(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # which would keep 300 MB of activations for good, and is no faster
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        threads = {
            "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        paths = {f"{part}.model_path": str(folder / name) for part, name in MODELS.items()}
        self._engine = rapidocr.RapidOCR(params={**threads, **paths, "Global.log_level": "critical"})
        for part, name in MODELS.items():  # rapidocr has no setting for spinning, so its sessions are replaced
            model = getattr(self._engine, f"_load_{part.lower()}_model")()
            model.session.session = onnxruntime.InferenceSession(
                str(folder / name), sess_options=options, providers=["CPUExecutionProvider"]
            )
        give_back()
        self._lock = threading.Lock()

    def read(self, image: Pixels) -> OcrText:
        """The text of an image; boxes are ordered by line, then from left to right."""
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        with self._lock:
            try:
                found = self._engine(bgr)
            except Exception:  # the engine trips over empty crops of noise images; there is no text in them
                return OcrText((), ())
        if found.txts is None or found.boxes is None:
            return OcrText((), ())
        order = reading_order(np.asarray(found.boxes, np.float64))
        return OcrText(tuple(found.txts[i] for i in order), tuple(float(found.scores[i]) for i in order))

    def word(self, image: Pixels) -> str:
        """The one word that a crop holds, without looking for where it is."""
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        with self._lock:
            try:
                found = self._engine(bgr, use_det=False, use_cls=False, use_rec=True)
            except Exception:  # the engine trips over crops of a few pixels; there is no text in them
                return ""
        return " ".join(found.txts or ()).strip()


def reading_order(boxes: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """Order of text boxes [n, 4, 2]: rows from top to bottom, boxes of a row (centres within half a height) left to right.

    >>> reading_order(np.array([[[9, 0], [12, 0], [12, 4], [9, 4]], [[0, 1], [3, 1], [3, 5], [0, 5]]], float))
    [1, 0]
    """
    centres = boxes.mean(axis=1)
    heights = np.ptp(boxes[:, :, 1], axis=1)
    rows: list[list[int]] = []
    for index in np.argsort(centres[:, 1], kind="stable").tolist():
        last = rows[-1] if rows else None
        if last is not None and centres[index, 1] - centres[last[0], 1] < 0.5 * min(heights[index], heights[last[0]]):
            last.append(index)
        else:
            rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda i: float(centres[i, 0]))]


def _digest(folder: Path) -> str:
    """sha256 over the models, in the order in which they are used."""
    digest = hashlib.sha256()
    for name in MODELS.values():
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _models_folder() -> Path:
    spec = importlib.util.find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else Path()
    missing = [name for name in MODELS.values() if not (folder / name).is_file()]
    if missing:
        raise EvalkitError(
            f"this version of rapidocr does not carry {missing[0]}; install one that does: pip install 'rapidocr>=3.10'"
        )
    return folder
