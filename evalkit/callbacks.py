"""Evaluation inside a training loop: a checkpoint becomes a sealed run, its numbers go to the loop's own logger."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.runs.store import Run

Values = dict[str, float]
Log = Callable[[Mapping[str, float], int], None]


class CheckpointEvaluation:
    """Evaluates every `every`-th checkpoint into `out/step-N` and logs value, low and high of each result.

    `evaluate(checkpoint, folder)` makes the run of a checkpoint's file, such as one of `evaluate_tokenizer`,
    `generate_images` with `probe`, or `score`. `log(values, step)` is any logger, such as `wandb.log`. The runs stay:
    `evalkit track out/step-*` and `evalkit compare` read them. A checkpoint that cannot be evaluated ends no training:
    its error goes to `failed`.

    >>> import tempfile
    >>> import evalkit
    >>> from evalkit.jobs.options import RunOptions
    >>> def evaluate(checkpoint, folder):
    ...     options = RunOptions(out=folder, limit=2, keep="none")
    ...     return evalkit.evaluate_tokenizer("jpeg-q75", "sample/photos", tasks=["reconstruction"], options=options)[0]
    >>> logged = []
    >>> each = CheckpointEvaluation(evaluate, tempfile.mkdtemp(), log=lambda values, step: logged.append((step, values)))
    >>> run = each(Path("step-100.pt"), 100)
    >>> logged[0][0], sorted(logged[0][1])[:2]
    (100, ['bpp/sample/photos', 'bpp/sample/photos_high'])
    """

    def __init__(
        self, evaluate: Callable[[Path, Path], Run], out: str | Path, *, log: Log | None = None, every: int = 1
    ) -> None:
        """Raise `EvalkitError` for an `every` below 1."""
        if every < 1:
            raise EvalkitError(f"every {every} checkpoints is none. Give 1 or more")
        self.evaluate, self.out, self.log, self.every = evaluate, Path(out), log, every
        self.seen = 0
        self.failed: dict[int, str] = {}

    @property
    def due(self) -> bool:
        """Whether the next checkpoint is evaluated."""
        return self.seen % self.every == 0

    def __call__(self, checkpoint: str | Path, step: int) -> Run | None:
        """The run of this checkpoint; None where it is not its turn or it failed."""
        due = self.due
        self.seen += 1
        if not due:
            return None
        try:
            run = self.evaluate(Path(checkpoint), self.out / f"step-{step}")
        except EvalkitError as error:
            self.failed[step] = str(error)
            return None
        if self.log is not None:
            self.log(values_of(run), step)
        return run


def values_of(run: Run) -> Values:
    """Finite value, low and high of each result by `metric/dataset`, as loggers take them."""
    found: Values = {}
    for row in run.results:
        name = f"{row['metric']}/{row['dataset']}" if row["dataset"] else str(row["metric"])
        for end, key in (("", "value"), ("_low", "low"), ("_high", "high")):
            value = row[key]
            if isinstance(value, int | float) and math.isfinite(value):
                found[name + end] = float(value)
    return found


def lightning_callback(evaluation: CheckpointEvaluation, folder: str | Path) -> Any:
    """A callback of PyTorch Lightning: after each validation the module's checkpoint is saved below `folder` and evaluated.

    Numbers go to the trainer's loggers too. Sanity checks before the training, and all ranks but the first, are passed
    over. Raises `EvalkitError` where neither `lightning` nor `pytorch_lightning` is installed.
    """
    base = _lightning().Callback

    class Evaluated(base):  # type: ignore[misc, valid-type]
        """Saves and evaluates at the end of each validation."""

        def on_validation_end(self, trainer: Any, module: Any) -> None:
            """Called by the trainer."""
            if getattr(trainer, "sanity_checking", False):
                return
            if not evaluation.due:
                evaluation.seen += 1
                return
            step = int(trainer.global_step)
            path = Path(folder) / f"step-{step}.ckpt"
            trainer.save_checkpoint(path)  # every rank takes part
            if getattr(trainer, "is_global_zero", True) and (run := evaluation(path, step)) is not None:
                for logger in getattr(trainer, "loggers", ()):
                    logger.log_metrics(values_of(run), step=step)

    return Evaluated()


def _lightning() -> Any:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise EvalkitError("PyTorch Lightning is not installed; type: pip install lightning")
