"""A training's series to a tracker that is installed: Weights & Biases, MLflow or TensorBoard. None is needed at import."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.leaderboard.track.points import Track

Tracker = Literal["wandb", "mlflow", "tensorboard"]
TRACKERS: tuple[Tracker, ...] = ("wandb", "mlflow", "tensorboard")
MODULES = {"wandb": "wandb", "mlflow": "mlflow", "tensorboard": "torch.utils.tensorboard"}


def load_tracker(tracker: Tracker) -> Any:
    """The tracker's module; raises `EvalkitError` with the line that installs it."""
    try:
        return importlib.import_module(MODULES[tracker])
    except ImportError:
        raise EvalkitError(f"{tracker} is not installed; type: pip install {tracker}") from None


def send_track(tracks: Sequence[Track], tracker: Tracker, module: Any, *, project: str, folder: Path) -> str:
    """Log value, low and high of every checkpoint at its step; gives the words that say where they are.

    `project`: of wandb, the experiment of mlflow. `folder`: where tensorboard's events are written.
    """
    if tracker == "wandb":
        run = module.init(project=project, job_type="evalkit")
        for step, values in _steps(tracks):
            run.log(values, step=step)
        run.finish()
        return f"wandb project {project}"
    if tracker == "mlflow":
        module.set_experiment(project)
        with module.start_run():
            for step, values in _steps(tracks):
                module.log_metrics(values, step=step)
        return f"mlflow experiment {project}"
    with module.SummaryWriter(str(folder)) as writer:
        for step, values in _steps(tracks):
            for name, value in values.items():
                writer.add_scalar(name, value, step)
    return f"tensorboard --logdir {folder}"


def _steps(tracks: Sequence[Track]) -> Iterator[tuple[int, dict[str, float]]]:
    """All values of a step together, in the order of steps, which trackers want to rise."""
    found: dict[int, dict[str, float]] = {}
    for track in tracks:
        terms = track.board.terms
        name = f"{terms.metric}/{terms.dataset}".replace("[", "_").replace("]", "")
        for point in track.points:
            figure = point.standing.figure
            said = {"": figure.value, "_low": figure.low, "_high": figure.high}
            at = found.setdefault(round(point.step), {})
            at |= {f"{name}{end}": float(value) for end, value in said.items() if value is not None}
    yield from sorted(found.items())
