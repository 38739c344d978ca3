"""Everything that scores a pair of images; what has no weights here is listed with the reason, never replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from evalkit.encoders.base import FeatureExtractor, Ocr, PerceptualDistance
from evalkit.encoders.evidence import EvidenceCache, evidence_of
from evalkit.encoders.faces.face import FaceDetector
from evalkit.encoders.registry import load_extractor, load_faces, load_lpips, load_ocr
from evalkit.errors import EvalkitError, MissingDependency, WeightsError
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.jobs.timers import Timers
from evalkit.metrics.psnr import mse, psnr
from evalkit.metrics.script import script_of
from evalkit.metrics.ssim import ms_ssim, reconstruction_scores, ssim
from evalkit.metrics.text import compare
from evalkit.protocols import Protocol
from evalkit.tasks.tokenizer.details import PROTOCOLS as DETAILED
from evalkit.tasks.tokenizer.details import detail_columns, speaks_of_detail
from evalkit.tasks.tokenizer.faces import face_columns, speaks_of_faces

if TYPE_CHECKING:
    from evalkit.tasks.tokenizer.worker import Pair


class Judges:
    """LPIPS networks, feature extractors, OCR and the face detector, as protocols and tasks ask, loaded once for all models."""

    def __init__(
        self,
        protocols: Sequence[Protocol],
        tasks: frozenset[str],
        device: str,
        features: Sequence[str] = (),
        ocr: str = "rapidocr",
        cache: EvidenceCache | None = None,
    ) -> None:
        """`features`: extractors of distribution distances besides those of the protocols. `ocr`: who reads text.

        `cache`: where texts are kept [default: in memory, for the next model].
        """
        self.tasks = tasks
        self.further = tuple(features)
        self.unavailable: dict[str, str] = {}
        self.weights: dict[str, str | None] = {}
        self.lpips: dict[str, PerceptualDistance] = {}
        self.extractors: dict[str, FeatureExtractor] = {}
        self.ocr: Ocr | None = None
        self.faces: FaceDetector | None = None
        self.cache = cache or EvidenceCache()
        for net in dict.fromkeys(net for protocol in protocols for net in protocol.lpips.nets):
            if tasks & {"reconstruction", "detail", "text"}:
                self._try(f"lpips_{net}", lambda net=net: self._add_lpips(net, device))
        own = [name for protocol in protocols for name in protocol.distribution.extractors]
        for name in dict.fromkeys((*own, *self.further)):
            if tasks & {"distribution", "fid-infinity"}:
                self._try(name, lambda name=name: self._add_extractor(name, device))
        if "text" in tasks and any(protocol.text.references for protocol in protocols):
            self._try("text", lambda: self._add_ocr(ocr, device))
        if "detail" in tasks and any(protocol.id in DETAILED for protocol in protocols):
            self.faces = load_faces(device)
            self.weights[f"faces {self.faces.id}"] = self.faces.weights_sha256

    def _try(self, what: str, load: Any) -> None:
        try:
            load()
        except (WeightsError, MissingDependency) as error:
            self.unavailable[what] = str(error)

    def _add_lpips(self, net: str, device: str) -> None:
        self.lpips[net] = load_lpips(net, device=device)
        self.weights[f"lpips_{net}"] = self.lpips[net].weights_sha256

    def _add_extractor(self, name: str, device: str) -> None:
        self.extractors[name] = load_extractor(name, device=device)
        self.weights[name] = self.extractors[name].weights_sha256

    def _add_ocr(self, name: str, device: str) -> None:
        self.ocr = load_ocr(name, device)
        self.weights[f"ocr {self.ocr.id} {self.ocr.version}"] = None

    def score(self, protocol: Protocol, pairs: Sequence[Pair], timers: Timers) -> None:
        """Fill the rows of `pairs` with every per-sample score of `protocol`."""
        with timers("pixel metrics"):
            for pair in pairs:
                pair.row.update(pixel_scores(protocol, pair.original, pair.reconstruction))
                if speaks_of_detail(self.tasks, protocol, pair.row["task"]):
                    pair.row.update(detail_columns(pair.original, pair.reconstruction))
        if self.faces is not None:
            with timers("faces"):
                for pair in pairs:
                    if speaks_of_faces(self.tasks, protocol, pair.row["task"]):
                        pair.row.update(face_columns(self.faces, pair.original, pair.reconstruction))
        signed = protocol.lpips.input_range == "[-1, 1]"
        for net, lpips in ((net, self.lpips[net]) for net in protocol.lpips.nets if net in self.lpips):
            with timers("lpips"):
                for alike in _by_shape(pairs):
                    x, y = (_stack(alike, which).float().div_(255) for which in ("original", "reconstruction"))
                    for pair, value in zip(alike, lpips.distance(x, y, normalise=signed).tolist(), strict=True):
                        pair.row[f"lpips_{net}"] = value
        if self.ocr is not None and protocol.text.references:
            with timers("ocr"):
                for pair in pairs:
                    if pair.row["task"] == "text" or pair.row["task"] is None:
                        self._read(protocol, pair)

    def score_groups(self, protocol: Protocol, pairs: Sequence[Pair], timers: Timers) -> None:
        """SSIM where the protocol takes its data range from groups of neighbours."""
        rule = protocol.ssim
        with timers("pixel metrics"):
            for start in range(0, len(pairs), rule.batch):
                group = pairs[start : start + rule.batch]
                sides = ([getattr(p, which) for p in group] for which in ("original", "reconstruction"))
                span = max(int(max(map(np.max, side))) - int(min(map(np.min, side))) for side in sides) / 255 or 1.0
                for pair in group:
                    pair.row["ssim"] = ssim(
                        pair.original, pair.reconstruction, data_range=span, window=rule.window, border=rule.border
                    )

    def extractors_of(self, protocol: Protocol) -> tuple[str, ...]:
        """Names of the protocol's extractors and of those that were asked for besides, whether they are here or not."""
        return tuple(dict.fromkeys((*protocol.distribution.extractors, *self.further)))

    def features(
        self, protocol: Protocol, pairs: Sequence[Pair], timers: Timers
    ) -> Iterator[tuple[str, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """(extractor, features of the originals, features of the reconstructions), float32 [n, d].

        A protocol speaks of the resize of its own extractors; the others take their own way.
        """
        rule = protocol.distribution
        for name in self.extractors_of(protocol):
            if name in self.extractors:
                extractor = self.extractors[name]
                for alike in _by_shape(pairs):
                    with timers("features"):
                        own = rule.resize == "extractor" or name not in rule.extractors
                        resize = None if own else rule.resize
                        both = [
                            extractor.features(_stack(alike, which), resize=resize)
                            for which in ("original", "reconstruction")
                        ]
                    yield name, both[0].cpu().numpy(), both[1].cpu().numpy()

    def _read(self, protocol: Protocol, pair: Pair) -> None:
        rule = protocol.text
        row = pair.row
        row["text_truth"] = pair.sample.meta.get("text")
        try:
            row["text_original"] = self._text_of(pair.original, protocol)
            row["text_reconstruction"] = self._text_of(pair.reconstruction, protocol)
        except EvalkitError as error:  # an endpoint that is down costs this text, not the run
            row["text_error"] = str(error)
            return
        row["script"] = script_of(row["text_truth"] or row["text_original"])
        for reference in rule.references:
            wanted = row[f"text_{reference}"]
            if wanted is None:
                continue
            scores = compare(wanted, row["text_reconstruction"])
            row[f"cer_{reference}"] = scores.cer
            row[f"wer_{reference}"] = scores.wer if rule.wer == "words" else scores.characters_per_word
            row[f"ned_{reference}"] = scores.ned
            row[f"word_recall_{reference}"] = scores.word_recall

    def _text_of(self, image: Pixels, protocol: Protocol) -> str:
        if self.ocr is None:
            return ""
        rule = protocol.text
        preprocessing = f"{rule.ocr_size} {rule.ocr_fit} {rule.ocr_filter}"
        (read,) = evidence_of(
            self.ocr, [image], self.cache, preprocessing=preprocessing, prepare=lambda image: _readable(image, protocol)
        )
        return read.text


def _readable(image: Pixels, protocol: Protocol) -> Pixels:
    """The image at the size at which the protocol has text read."""
    rule = protocol.text
    height, width = image.shape[:2]
    if rule.ocr_fit == "exactly":
        return resize_exact(image, (rule.ocr_size, rule.ocr_size), rule.ocr_filter)
    if min(height, width) < rule.ocr_size:
        grow = rule.ocr_size / min(height, width)
        return resize_exact(image, (round(height * grow), round(width * grow)), rule.ocr_filter)
    return image


def pixel_scores(protocol: Protocol, original: Pixels, reconstruction: Pixels) -> dict[str, float]:
    """MSE, PSNR, SSIM and MS-SSIM of one pair, and the range of the original, all on the [0, 1] scale."""
    rule = protocol.ssim
    span = {"target_low": float(original.min()) / 255, "target_high": float(original.max()) / 255}
    if rule.window == "gauss11" and rule.border == "crop" and rule.data_range == "1":
        scores = reconstruction_scores(original, reconstruction)
        return {**span, "mse": scores.mse, "psnr": scores.psnr, "ssim": scores.ssim, "ms_ssim": scores.ms_ssim}
    error = mse(original, reconstruction)
    found = {**span, "mse": error, "psnr": psnr(error), "ms_ssim": ms_ssim(original, reconstruction)}
    if rule.data_range != "batch":
        found["ssim"] = ssim(
            original, reconstruction, data_range=float(rule.data_range), window=rule.window, border=rule.border
        )
    return found


def _by_shape(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs of one size together, in order of appearance."""
    groups: dict[tuple[int, ...], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.original.shape, []).append(pair)
    return list(groups.values())


def _stack(pairs: Sequence[Pair], which: str) -> torch.Tensor:
    return torch.from_numpy(np.stack([getattr(pair, which) for pair in pairs])).permute(0, 3, 1, 2).contiguous()
