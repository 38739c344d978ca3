"""The statistics of a scoring's images as a file that serves as a reference, here and in other tools."""

from __future__ import annotations

from pathlib import Path

from evalkit.encoders.set_encoder import SPECTRUM
from evalkit.errors import EvalkitError
from evalkit.metrics.moments import Moments, load_moments
from evalkit.metrics.npz import arrays_of
from evalkit.metrics.rows import moments_of
from evalkit.metrics.sets.composition import POOL, SPATIAL
from evalkit.metrics.statistics_file import save_statistics
from evalkit.runs.store import Run
from evalkit.tasks.score.features import FOLDER, moments_files
from evalkit.tasks.score.rows import IMAGES
from evalkit.tasks.score.spec import network_of


def write_statistics(run: Run, path: Path) -> Path:
    """Write mean and covariance of the images' features: the FID network's where it is here, else the embedded one's.

    Raises `EvalkitError` where the run has no features of two images.
    """
    heads = run.record["plan"]["parameters"]["heads"]
    first = POOL if POOL in heads else next((head for head in reversed(heads) if head not in (SPATIAL, SPECTRUM)), None)
    pool = None if first is None else _moments(run, first)
    if first is None or pool is None or pool.n < 2:
        raise EvalkitError("there are no features of two images to take statistics of. Add images, or fetch weights")
    network = network_of(first)
    made_with = {
        "protocol": run.record["protocols"][0]["id"],
        "network": network,
        "weights": str(run.record["encoders"][network]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_statistics(path, pool, n=pool.n, spatial=_moments(run, SPATIAL), made_with=made_with)
    return path


def _moments(run: Run, head: str) -> Moments | None:
    kept = run.path / FOLDER / f"{IMAGES}-{head}.npz"
    if kept.is_file():
        return moments_of(arrays_of(kept)["features"])
    file = moments_files(run).get((IMAGES, head))
    return None if file is None else load_moments(file)["features"]
