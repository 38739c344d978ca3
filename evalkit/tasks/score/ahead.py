"""Features of images whose maker still holds them, kept where a later scoring finds them: no file is read for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from evalkit.device import pick_device
from evalkit.encoders.kept_features import KeptFeatures, SeenImage
from evalkit.encoders.lanes import side_by_side
from evalkit.encoders.set_encoder import SPECTRUM, SetEncoder
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.metrics.sets.composition import heads_of
from evalkit.metrics.sets.names import chosen_metrics, set_metrics
from evalkit.protocols.score import load_score_protocol
from evalkit.tasks.score.spec import network_of, networks_of

BATCH = 32  # images of a forward pass on an accelerator; on a CPU each is looked at alone, as in a scoring
TOGETHER = 2**24  # pixels of images that are looked at side by side
Named = tuple[str, Pixels]  # the sha256 of the file that the image goes to, and its pixels


def looking(metrics: Sequence[str], protocol: str, weights: Sequence[str] = ()) -> dict[str, Any]:
    """What `LookAhead` needs for metrics of `evalkit score`, as plain data that decides no result.

    Raises `EvalkitError` for metrics that do not compare sets by features of single images, and for missing weights.
    """
    rules = load_score_protocol(protocol)
    names = chosen_metrics(metrics, rules, reference=True)
    others = [f"the protocol {rules.id}"] if rules.clips else [name for name in names if name not in set_metrics(names)]
    if others:
        raise EvalkitError(f"{others[0]} looks at more than single images. Leave it to evalkit score")
    heads = heads_of(names)
    found = networks_of([network_of(head) for head in heads], weights)
    for reason in found.unavailable.values():
        raise EvalkitError(reason)
    paths = {name: str(ref.weights) for name, ref in found.here.items()}
    return {"metrics": list(names), "protocol": rules.id, "heads": [*heads, SPECTRUM], "weights": paths}


class LookAhead:
    """Looks at images as a scoring under the same protocol does on the same device, and keeps what it sees."""

    def __init__(self, said: Mapping[str, Any], device: str) -> None:
        """`said`: from `looking`. Raises `EvalkitError` where no cache can be written."""
        rules, chosen = load_score_protocol(said["protocol"]), pick_device(device)
        self._encoder = SetEncoder(said["heads"], rules, device=device, weights=said["weights"])
        self._kept = KeptFeatures.of_user(self._encoder.identities(), chosen.type)
        if self._kept is None:
            raise EvalkitError(
                "features cannot be kept on this machine. Set EVALKIT_CACHE to a folder that is writable"
            )
        self._batch = 1 if chosen.type == "cpu" else BATCH
        self._lanes = torch.get_num_threads() if chosen.type == "cpu" else 1

    def __call__(self, images: Sequence[Named]) -> None:
        """Keep the features of images; one that does not fit into memory is left to the scoring."""
        for seen in side_by_side(self._seen, self._batches(images), self._lanes, weight=_pixels, most=TOGETHER):
            if self._kept is not None:
                self._kept.put(seen)

    def _batches(self, images: Iterable[Named]) -> Iterator[list[Named]]:
        """Neighbours of one size."""
        for _, alike in itertools.groupby(images, key=lambda each: each[1].shape):
            while batch := list(itertools.islice(alike, self._batch)):
                yield batch

    def _seen(self, batch: Sequence[Named]) -> dict[str, SeenImage]:
        try:
            found = self._encoder(torch.from_numpy(np.stack([pixels for _, pixels in batch])).movedim(-1, -3))
        except (MemoryError, torch.cuda.OutOfMemoryError):
            return {}
        seen: dict[str, SeenImage] = {}
        for i, (sha256, pixels) in enumerate(batch):
            features = {head: values[i] for head, values in found.items()}
            if all(np.isfinite(each).all() for each in features.values()):
                seen[sha256] = SeenImage(sha256, pixels.shape[0], pixels.shape[1], features)
        return seen


def _pixels(batch: Sequence[Named]) -> int:
    return sum(pixels.size // 3 for _, pixels in batch)
