"""`view_consistency`: whether neighbouring views lie as their cameras say."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import DataRef, Spec
from evalkit.metrics.tsed import TSED
from evalkit.runs.store import Run
from evalkit.tasks.score.inputs import looked_at, tell
from evalkit.tasks.views.cameras import camera_of, read_cameras
from evalkit.tasks.views.task import SHARD, VERSION, VIEWS
from evalkit.weights.reading import file_sha256


def view_consistency(images: str | Path | ImageSet, cameras: str | Path, *, options: RunOptions | None = None) -> Run:
    """TSED of `images`, views in the order of their names, each folder a sequence, as a sealed run with one row per view.

    `cameras`: JSON lines of `id` (the view's, with or without ending), `intrinsics` and `pose`, see `metrics.tsed.Camera`.
    Raises `EvalkitError` before any work where a line is wrong, or no view has a camera.
    """
    options = options or RunOptions()
    path = Path(cameras).expanduser()
    found = read_cameras(path)
    looked = looked_at(images, options.limit)
    ids = [] if looked.images is None else looked.images.ids()[: looked.ref.n]
    if not any(camera_of(found, id) for id in ids):
        raise EvalkitError(f"no view of {looked.ref.name} has a camera. Give ids that are the names of the views")
    spec = Spec(
        VIEWS.name,
        VERSION,
        inputs={"data": looked.ref, "cameras": DataRef(path.stem, len(found), file_sha256(path), source=str(path))},
        metrics=(TSED.name,),
        parameters={"model": looked.label},
        seed=options.seed,
        shard=SHARD,
        here={"threads": options.threads, "data": dict(looked.about)},
    )
    out = options.out or run_folder(spec, looked.label)
    tell(looked, out, options)
    return run_as_wished(VIEWS, spec, out, options)
