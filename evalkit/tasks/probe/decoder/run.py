"""`train_decoder` and `ask_decoder`: which kind of decoder made images; resumable, sealed runs."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions, check_apart
from evalkit.jobs.spec import ModelRef, ProtocolRef, Spec
from evalkit.jsonio import canonical_json
from evalkit.runs.store import Run
from evalkit.tasks.probe.decoder.ask_task import ASK
from evalkit.tasks.probe.decoder.equal import equaliser_for
from evalkit.tasks.probe.decoder.features import SPECTRAL
from evalkit.tasks.probe.decoder.looking import SHARD, features_ref, shorter_sides
from evalkit.tasks.probe.decoder.probe import probe_file, read_probe
from evalkit.tasks.probe.decoder.train_task import ROLES, TRAIN
from evalkit.tasks.score.inputs import Looked, looked_at
from evalkit.weights.reading import file_sha256

VERSION = 1
PROTOCOL = "decoder-1"


def train_decoder(a: str | Path, b: str | Path, *, features: str = SPECTRAL, options: RunOptions | None = None) -> Run:
    """A probe that tells the images of `a` from those of `b`, as a run that holds it; sub-folders are generators.

    `features`: spectral, or a feature extractor. `options.limit`: only the first images of each folder. Raises
    `EvalkitError` where a folder has too few images, or too small ones.
    """
    options = options or RunOptions()
    model = features_ref(features, options.weights)
    sets = [looked_at(each, options.limit) for each in (a, b)]
    names = [each.label for each in sets]
    if names[0] == names[1]:
        names = [f"{name} ({place})" for name, place in zip(names, ROLES, strict=True)]
    sides = [side for each in sets for side in shorter_sides(_images(each), each.ref.n)]
    if not sides:
        raise EvalkitError(f"no image of {names[0]} and {names[1]} can be read. Give two folders of images")
    equal = asdict(equaliser_for(sides))
    spec = Spec(
        TRAIN.name,
        VERSION,
        {"model": model},
        dict(zip(ROLES, (each.ref for each in sets), strict=True)),
        (_protocol(),),
        parameters={"names": names, "equaliser": equal},
        seed=options.seed,
        shard=SHARD,
        here={"threads": options.threads},
    )
    return _run(spec, sets, f"{names[0]}-{names[1]}-{features}", options)


def ask_decoder(images: str | Path, probe: str | Path, *, options: RunOptions | None = None) -> Run:
    """What the probe in the file or run `probe` says of `images`, a folder or a generation; a sealed run.

    Raises `EvalkitError` where there is no image or no probe.
    """
    options = options or RunOptions()
    found, file = read_probe(probe), probe_file(probe)
    data = looked_at(images, options.limit)
    digest = file_sha256(file)
    spec = Spec(
        ASK.name,
        VERSION,
        {
            "model": ModelRef(data.label),
            "probe": ModelRef(" against ".join(found.names), digest, weights=str(file)),
            "features": features_ref(found.features, options.weights),
        },
        {"data": data.ref},
        (_protocol(digest),),
        seed=options.seed,
        shard=SHARD,
        here={"threads": options.threads},
    )
    return _run(spec, [data], data.label, options)


def _run(spec: Spec, sets: list[Looked], label: str, options: RunOptions) -> Run:
    out = options.out or run_folder(spec, label)
    for each in sets:
        check_apart(_images(each).spec, out)
        for remark in _images(each).remarks():
            options.progress.note(remark)
    return run_as_wished(TRAIN if spec.task == TRAIN.name else ASK, spec, out, options)


def _images(looked: Looked) -> ImageSet:
    if looked.images is None:
        raise EvalkitError(f"{looked.ref.name} holds no images. Give a folder of images")
    return looked.images


def _protocol(probe: str = "") -> ProtocolRef:
    """The rules; of an answer also the probe that gave it, so that answers of two probes are kept apart."""
    rules = {"name": PROTOCOL, "version": VERSION, "probe": probe}
    return ProtocolRef(PROTOCOL, hashlib.sha256(canonical_json(rules)).hexdigest())
