"""Everything that scores a pair of images; what has no weights here is listed with the reason, never replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.encoders.base import FeatureExtractor, Ocr, PerceptualDistance
from evalkit.encoders.described import described
from evalkit.encoders.evidence import EvidenceCache, evidence_of
from evalkit.encoders.faces.face import FaceDetector, faces_found_again
from evalkit.encoders.registry import load_extractor, load_faces, load_lpips, load_ocr
from evalkit.errors import EvalkitError, MissingDependency, WeightsError
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.jobs.timers import Timers
from evalkit.metrics.faces import DETECTOR, SMALLEST, FacesSeen
from evalkit.metrics.lpips import LPIPS
from evalkit.metrics.metric import Metric
from evalkit.metrics.metric import Pair as Compared
from evalkit.metrics.registry import of_level
from evalkit.metrics.ssim import SSIM, grouped_ssim
from evalkit.metrics.text_rates import READER, TextsRead
from evalkit.metrics.tokbench import EMBEDDER, RECOGNISER
from evalkit.protocols import Protocol
from evalkit.tasks.tokenizer.pair import Pair
from evalkit.tasks.tokenizer.words import Embedder, Recogniser, alike_faces, read_words

if TYPE_CHECKING:
    from torch import Tensor

FACES, WORDS = "yunet-s", "rapidocr"
RECONSTRUCTION, TEXT = "reconstruction", "text"
IMAGE_TASKS = frozenset({RECONSTRUCTION, "detail", TEXT})
DISTRIBUTIONS = frozenset({"distribution", "fid-infinity"})
BY_LOADING = frozenset({RECOGNISER})  # the plan names its package, the record its models too


class Evaluators:
    """LPIPS networks, feature extractors, OCR and the face detector, as protocols and tasks ask, loaded once for all models.

    They are told by their files. Each is loaded at the first image that a metric needs it for, by one thread.
    """

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
        self.tasks, self._device, self._reader = tasks, device, ocr
        self.further = tuple(features)
        self.unavailable: dict[str, str] = {}
        self.weights: dict[str, str | None] = {}
        self.lpips: dict[str, PerceptualDistance] = {}
        self.extractors: dict[str, FeatureExtractor] = {}
        self.ocr: Ocr | None = None
        self.faces: FaceDetector | None = None
        self.words: Recogniser | None = None
        self.embedder: Embedder | None = None
        self.cache = cache or EvidenceCache()
        self._metrics: dict[tuple[str, ...], list[Metric]] = {}  # by protocol, and the networks that are here
        self.here: dict[str, bool] = {}  # networks that metrics can ask, and whether they are loaded
        own = [name for protocol in protocols for name in protocol.distribution.extractors] if self._of_sets else []
        further = self.further if self._of_sets else ()
        for need in dict.fromkeys((*self._needs(protocols), *own, *further)):
            self._try(need, self._describe)

    def load(self) -> Evaluators:
        """Load the networks whose weights a record can only name once they are loaded."""
        for need in BY_LOADING & self.here.keys():
            self.loaded(need)
        return self

    def loaded(self, need: str) -> bool:
        """Load a network that is not loaded yet; what cannot be is unavailable from then on."""
        if self.here.get(need) is False:
            self._try(need, self._load)
        return need in self.here

    @property
    def _of_sets(self) -> bool:
        return bool(self.tasks & DISTRIBUTIONS)

    def _needs(self, protocols: Sequence[Protocol]) -> tuple[str, ...]:
        """The networks of every metric of pairs that the tasks and one of the protocols take, once each."""
        sections = self.tasks | ({RECONSTRUCTION} if self.tasks & IMAGE_TASKS else frozenset())
        metrics = [metric for metric in of_level("pair") if metric.task in sections]
        wanted = [metric for metric in metrics if any(metric.under(protocol) for protocol in protocols)]
        return tuple(dict.fromkeys(need for metric in wanted for need in metric.needs))

    def _try(self, need: str, act: Callable[[str], None]) -> None:
        try:
            act(need)
        except (WeightsError, MissingDependency) as error:
            self.unavailable[TEXT if need == READER else need] = str(error)
            self.here.pop(need, None)
            self.weights = {name: each for name, each in self.weights.items() if name.partition(" ")[0] != need}

    def _describe(self, need: str) -> None:
        """Note the weights of a network by the name that metrics know it by; one that no file describes is loaded."""
        known = described(self._encoder(need))
        if known is None:
            self._load(need)
        else:
            self._note(need, known.encoder, known.weights_sha256, known.version, loaded=False)

    def _encoder(self, need: str) -> str:
        """The encoder's own name."""
        nets = {metric.needs[0]: net for net, metric in LPIPS.items()}
        named = {
            READER: self._reader,
            RECOGNISER: WORDS,
            DETECTOR: FACES,
            **{need: f"lpips-{net}" for need, net in nets.items()},
        }
        return named.get(need, need)

    def _load(self, need: str) -> None:
        """Load a network; raises `WeightsError` where its weights are missing or damaged."""
        if need == READER:
            self.ocr = load_ocr(self._reader, self._device)
            self._note(need, self.ocr.id, None, self.ocr.version)
        elif need == RECOGNISER:
            from evalkit.encoders.ocr.rapid import RapidOcr

            self.words = made = RapidOcr()
            self._note(need, made.id, made.weights_sha256, made.version)
        elif need == EMBEDDER:
            from evalkit.encoders.faces.embed import FaceEmbedder

            self.embedder = embedder = FaceEmbedder()
            self._note(need, embedder.id, embedder.weights_sha256)
        elif need == DETECTOR:
            self.faces = load_faces(self._device)
            self._note(need, self.faces.id, self.faces.weights_sha256)
        elif need in {metric.needs[0] for metric in LPIPS.values()}:
            self.lpips[need] = load_lpips(self._encoder(need).removeprefix("lpips-"), device=self._device)
            self._note(need, need, self.lpips[need].weights_sha256)
        else:
            self.extractors[need] = load_extractor(need, device=self._device)
            self._note(need, need, self.extractors[need].weights_sha256)

    def _note(self, need: str, encoder: str, sha256: str | None, version: str = "", *, loaded: bool = True) -> None:
        named = {each: f"{each} {encoder} {version}" for each in (READER, RECOGNISER)}
        named[DETECTOR] = f"{DETECTOR} {encoder}"
        self.weights[named.get(need, need)] = sha256
        self.here[need] = loaded

    def pair_metrics(self, protocol: Protocol) -> list[Metric]:
        """The metrics of pairs that `protocol` takes in these tasks and whose networks are here."""
        here = tuple(self.here)  # another thread may find that one cannot be loaded
        if (protocol.id, *here) not in self._metrics:
            sections = {RECONSTRUCTION, *self.tasks}
            mine = [each for each in of_level("pair") if each.under(protocol) and each.task in sections]
            able = [each for each in mine if each.compute and all(need in here for need in each.needs)]
            self._metrics[protocol.id, *here] = able
        return self._metrics[protocol.id, *here]

    def score(self, protocol: Protocol, pairs: Sequence[Pair], timers: Timers) -> None:
        """Fill the rows of `pairs` with every per-sample score of `protocol`."""
        with timers("pixel metrics"):
            for pair in pairs:
                self.score_pixels(protocol, pair)
        self.score_by_networks(protocol, pairs, timers)

    def score_pixels(self, protocol: Protocol, pair: Pair) -> None:
        """The scores that need no network, in any thread."""
        self._compute(protocol, pair, {}, networks=False)

    def score_by_networks(self, protocol: Protocol, pairs: Sequence[Pair], timers: Timers) -> None:
        """The scores that need networks; those see all pairs together."""
        metrics = [metric for metric in self.pair_metrics(protocol) if metric.needs]
        found: list[dict[str, Any]] = [{} for _ in pairs]
        for need in dict.fromkeys(need for metric in metrics for need in metric.needs):
            mine = [metric for metric in metrics if need in metric.needs]
            asked = [i for i, pair in enumerate(pairs) if any(metric.images(pair.row["task"]) for metric in mine)]
            if not asked or not self._opened(need, timers):
                continue
            for i, evidence in zip(
                asked, self._evidence(need, protocol, [pairs[i] for i in asked], timers), strict=True
            ):
                found[i][need] = evidence
        if metrics:
            with timers("pixel metrics"):
                for pair, evidence in zip(pairs, found, strict=True):
                    self._compute(protocol, pair, evidence, networks=True)

    def _compute(self, protocol: Protocol, pair: Pair, evidence: dict[str, Any], *, networks: bool) -> None:
        compared = Compared(pair.original, pair.reconstruction, protocol, pair.meta.get("text"), evidence)
        metrics = self.pair_metrics(protocol)
        asking = {metric.compute for metric in metrics if metric.needs}
        mine = [metric for metric in metrics if metric.images(pair.row["task"])]
        for compute in dict.fromkeys(metric.compute for metric in mine if metric.compute):
            if (compute in asking) == networks:
                pair.row.update(compute(compared))

    def score_groups(self, protocol: Protocol, pairs: Sequence[Pair], timers: Timers) -> None:
        """SSIM where the protocol takes its data range from groups of neighbours."""
        with timers("pixel metrics"):
            for start in range(0, len(pairs), protocol.ssim.batch):
                group = pairs[start : start + protocol.ssim.batch]
                values = grouped_ssim([Compared(pair.original, pair.reconstruction, protocol) for pair in group])
                for pair, value in zip(group, values, strict=True):
                    pair.row[SSIM.name] = value

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
            if self._of_sets and self._opened(name, timers):
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

    def _opened(self, need: str, timers: Timers) -> bool:
        with timers("load"):
            return self.loaded(need)

    def _evidence(self, need: str, protocol: Protocol, pairs: Sequence[Pair], timers: Timers) -> list[Any]:
        """What the network `need` finds in each pair."""
        if need == READER:
            with timers("ocr"):
                return [self._read(protocol, pair) for pair in pairs]
        if need == RECOGNISER:
            with timers("ocr"):
                return [
                    (0, []) if self.words is None else read_words(p, protocol.input.method, self.words) for p in pairs
                ]
        if need == EMBEDDER:
            with timers("faces"):
                method, seen = protocol.input.method, self.embedder
                return [(0, []) if seen is None else alike_faces(pair, method, seen) for pair in pairs]
        if need == DETECTOR:
            with timers("faces"):
                return [self._find_faces(pair) for pair in pairs]
        if need in self.lpips:
            with timers("lpips"):
                return self._distances(self.lpips[need], protocol, pairs)
        with timers("features"):
            return self._vectors(self.extractors[need], pairs)

    def _distances(self, lpips: PerceptualDistance, protocol: Protocol, pairs: Sequence[Pair]) -> list[float]:
        signed = protocol.lpips.input_range == "[-1, 1]"
        found: dict[int, float] = {}
        for alike in _by_shape(pairs):
            x, y = (_stack(alike, which).float().div_(255) for which in ("original", "reconstruction"))
            values = lpips.distance(x, y, normalise=signed).tolist()
            found |= {id(pair): value for pair, value in zip(alike, values, strict=True)}
        return [found[id(pair)] for pair in pairs]

    def _vectors(self, extractor: FeatureExtractor, pairs: Sequence[Pair]) -> list[Any]:
        found: dict[int, Any] = {}
        for alike in _by_shape(pairs):
            x, y = (extractor.features(_stack(alike, which)).cpu().numpy() for which in ("original", "reconstruction"))
            found |= {id(pair): both for pair, both in zip(alike, zip(x, y, strict=True), strict=True)}
        return [found[id(pair)] for pair in pairs]

    def _find_faces(self, pair: Pair) -> FacesSeen:
        if self.faces is None:
            return FacesSeen((), 0)
        faces = [face for face in self.faces.find(pair.original) if face.side >= SMALLEST]
        again = faces_found_again(faces, self.faces.find(pair.reconstruction)) if faces else 0
        return FacesSeen(tuple((face.left, face.top, face.right, face.bottom) for face in faces), again)

    def _read(self, protocol: Protocol, pair: Pair) -> TextsRead:
        original: str | None = None
        try:
            original = self._text_of(pair.original, protocol)
            return TextsRead(original, self._text_of(pair.reconstruction, protocol))
        except EvalkitError as error:  # an endpoint that is down costs this text, not the run
            return TextsRead(original, None, str(error))

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


def _by_shape(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs of one size together, in order of appearance."""
    groups: dict[tuple[int, ...], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.original.shape, []).append(pair)
    return list(groups.values())


def _stack(pairs: Sequence[Pair], which: str) -> Tensor:
    import torch

    return torch.from_numpy(np.stack([getattr(pair, which) for pair in pairs])).permute(0, 3, 1, 2).contiguous()
