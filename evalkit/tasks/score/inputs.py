"""What is scored and against what: image sets, runs that made images, files of statistics, prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images import content_digest, open_images
from evalkit.images.clips import ClipSet
from evalkit.images.sample import ImageSet
from evalkit.jobs.data import data_ref
from evalkit.jobs.live import held, hold, is_live
from evalkit.jobs.options import RunOptions, check_apart
from evalkit.jobs.spec import DataRef
from evalkit.metrics.npz import NpzFile
from evalkit.metrics.statistics_file import ReferenceFile, read_statistics
from evalkit.prompts.load import load_prompts
from evalkit.runs.store import RECORD, Run, read_run
from evalkit.weights.reading import file_sha256

STATISTICS = ("mu", "feats")  # arrays by which a file of statistics is told from one of images


@dataclass(frozen=True)
class Looked:
    """A set while a run is planned: its reference, `about` for the record, and the run that made the images.

    `file`: the statistics, where the set came as a file of them. `images` is None where that holds no images.
    """

    ref: DataRef
    images: ImageSet | None
    about: Mapping[str, Any] = field(default_factory=dict)
    run: Run | None = None
    file: ReferenceFile | None = None

    @property
    def label(self) -> str:
        """The model that made the images, or the name of the set."""
        made_by = None if self.run is None else (self.run.record.get("model") or {}).get("name")
        return str(made_by or self.ref.name)


def looked_at(data: str | Path | ImageSet, limit: int | None, frames: int | None = None) -> Looked:
    """The first `limit` images of `data`, which may be a run that left images; raises `EvalkitError` where there are none.

    `frames`: the images are frames, and what is looked at are clips of so many.
    """
    if isinstance(data, ImageSet):
        return _looked(data, limit, hold(data), None, frames)
    path = Path(data).expanduser()
    if not (path / RECORD).is_file():
        if _has_statistics(path) and "arr_0" not in NpzFile(path).shapes:
            raise EvalkitError(f"{path.name} holds statistics, not images. Give it as --reference.")
        return _looked(open_images(data), limit, str(data), None, frames)
    run = read_run(path)
    if not (path / "images").is_dir():
        raise EvalkitError(f"{path} is a run that kept no images. Give a run of `evalkit generate`, or a folder.")
    return _looked(open_images(path / "images"), limit, str(path / "images"), run, frames)


def looked_at_reference(data: str | Path | ImageSet, limit: int | None, frames: int | None = None) -> Looked:
    """A reference: images, or an .npz of statistics, of which guided-diffusion's hold some images too."""
    if isinstance(data, ImageSet) or not _has_statistics(Path(data).expanduser()):
        return looked_at(data, limit, frames)
    path = Path(data).expanduser()
    file = read_statistics(path)
    images = open_images(path) if file.images else None
    stored = file.pool or file.spatial
    n = len(images) if images is not None else 0
    settings = {
        "kind": "statistics",
        "of": stored.n if stored else None,
        "listing": images.listing(n) if images else "",
    }
    ref = DataRef(path.stem, n, file_sha256(path), settings, str(path))
    return Looked(ref, images, {"spec": str(path), "holds": file.contents()}, None, file)


def opened_images(ref: DataRef) -> ImageSet:
    """The set behind a reference; raises `EvalkitError` where it is another one now."""
    if ref.source is None:
        raise EvalkitError(f"nothing says where the images {ref.name} lie. Give the run's own images")
    if is_live(ref.source):
        kept: ImageSet = held(ref.source)
        return _clips(kept, ref.settings.get("frames"))
    images = _clips(open_images(ref.source), ref.settings.get("frames"))
    if ref.settings.get("kind") == "statistics":
        found = file_sha256(Path(ref.source).expanduser())
    else:
        found = content_digest(zip(images.ids(), images.fingerprints(min(ref.n, len(images))), strict=False))
    if found != ref.digest:
        raise EvalkitError(f"the images {ref.source} have changed since the run was planned. Give a fresh --out")
    return images


@dataclass(frozen=True)
class Asked:
    """What each image was asked to show: `prompts` and `classes` by image id, and the set of prompts as an input."""

    prompts: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    ref: DataRef | None = None


def asked_of(ids: Sequence[str], source: str | None) -> Asked:
    """What the images `ids` were asked to show, by a run that made them or a file of prompts; nothing without a source.

    A file's prompts belong to images by their names without ending where all of these are ids of prompts, else in order.
    """
    if source is None:
        return Asked()
    path = Path(source).expanduser()
    return _of_run(read_run(path)) if (path / RECORD).is_file() else _of_file(ids, source)


def _of_run(run: Run) -> Asked:
    if not {"file", "prompt"} <= set(run.samples.column_names):
        return Asked()
    rows = [row for row in run.samples.to_pylist() if row["file"]]
    names = [str(PurePosixPath(row["file"]).relative_to("images")) for row in rows]
    prompts = {name: row["prompt"] for name, row in zip(names, rows, strict=True) if row["prompt"]}
    classes = {
        name: str(row["class_id"]) for name, row in zip(names, rows, strict=True) if row.get("class_id") is not None
    }
    data = run.record["data"]
    return Asked(prompts, classes, DataRef(data["name"], len(rows), data["digest"], source=str(run.path)))


def _of_file(ids: Sequence[str], source: str) -> Asked:
    found = load_prompts(source)
    by_id = {each.id: each for each in found.prompts}
    stems = [PurePosixPath(id).stem for id in ids]
    if all(stem in by_id for stem in stems):
        mine = [by_id[stem] for stem in stems]
    elif len(found.prompts) == len(ids):
        mine = list(found.prompts)
    else:
        raise EvalkitError(
            f"{source} holds {len(found.prompts):,} prompts, and there are {len(ids):,} images whose names are not their "
            "ids. Give one prompt an image, in the order of the images."
        )
    prompts = {id: each.prompt for id, each in zip(ids, mine, strict=True) if each.prompt}
    classes = {id: str(each.class_id) for id, each in zip(ids, mine, strict=True) if each.class_id is not None}
    return Asked(prompts, classes, DataRef(found.name, len(found.prompts), found.digest, source=source))


def tell(looked: Looked | None, out: Path, options: RunOptions) -> None:
    """Refuses a run within the data, and says what of the data was left out."""
    if looked is None or looked.images is None:
        return
    check_apart(looked.images.spec, out)
    for remark in looked.images.remarks() if looked.file is None else ():
        options.progress.note(remark)


def _clips(images: ImageSet, frames: int | None) -> ImageSet:
    return images if frames is None else ClipSet(images, frames)


def _looked(images: ImageSet, limit: int | None, source: str, run: Run | None, frames: int | None) -> Looked:
    images = _clips(images, frames)
    n = len(images) if limit is None else min(limit, len(images))
    if not n:
        raise EvalkitError("there is nothing to score: the image set is empty. Give a set that holds images")
    ref = data_ref(images, n, source)
    ref = ref if frames is None else replace(ref, settings={**ref.settings, "frames": frames})
    ref = ref if run is None else replace(ref, name=run.path.resolve().name)
    return Looked(ref, images, {"spec": str(images.spec), **images.as_record()}, run)


def _has_statistics(path: Path) -> bool:
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    return any(name in NpzFile(path).shapes for name in (*STATISTICS, "sigma", "mu_s"))
