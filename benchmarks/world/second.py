"""Everything of the second world in one command that can be repeated until it is done: detector, tokenizer, generator,
and the measurement of all floors; weights, CSVs and logs are copied into --out after every stage.

    python benchmarks/world/second.py --preset gpu --limit 9.4 --out "$OUT"      # twice on one large GPU: 12 minutes
    nice -n 19 python benchmarks/world/second.py --preset cpu --limit 480        # a night; again every night
    python benchmarks/world/second.py --preset toy --work /tmp/toy --out /tmp/toy-out   # a minute: does all of it run?

A stage that has ended is not repeated. `--limit` is in minutes of this call. A stage that is cut short leaves weights that
can be used, and the measurement takes what is there once `--measure` is given or all stages have ended.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from second_loop import STOPPED

HERE = Path(__file__).resolve().parent
PRESETS: dict[str, dict[str, tuple[str, ...]]] = {
    "gpu": {
        "detector": ("--device", "cuda", "--fit", "1.0", "--every", "500"),
        "vq": ("--device", "cuda", "--fit", "3.0", "--every", "500"),
        "ar": ("--device", "cuda", "--fit", "5.2", "--every", "500"),
        "measure": ("--device", "cuda"),
    },
    "cpu": {
        "detector": ("--device", "cpu", "--steps", "4000", "--every", "100"),
        "vq": ("--device", "cpu", "--steps", "30000", "--every", "200"),
        "ar": ("--device", "cpu", "--steps", "60000", "--every", "200"),
        "measure": ("--device", "cpu", "--samples", "2", "--training", "2000"),
    },
    "toy": {
        "detector": ("--device", "cpu", "--steps", "6", "--batch", "4", "--every", "3"),
        "vq": ("--device", "cpu", "--steps", "10", "--batch", "4", "--every", "5", "--free", "3"),
        "ar": ("--device", "cpu", "--steps", "4", "--batch", "4", "--every", "2"),
        "measure": ("--device", "cpu", "--prompts", "12", "--samples", "1", "--captions", "1", "--training", "24"),
    },
}


MEASURING = 2.0  # minutes that a call must have left to begin it
STAGES = ("detector", "vq", "ar")


class Call:
    """One call of this script: what time it has, and where results go."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.work, self.out, self.preset = given.work, given.out, PRESETS[given.preset]
        self.end = time.monotonic() + 60 * given.limit
        self.stages = [stage for stage in STAGES if stage in given.stages.split(",")]
        self.each = given.each or {"gpu": 250, "cpu": 250, "toy": 2}[given.preset]

    @property
    def left(self) -> float:
        """Minutes of this call that are left."""
        return float(self.end - time.monotonic()) / 60

    def train(self, stage: str) -> bool:
        """Train a stage for the time that is left; returns whether its schedule ended, now or before."""
        mark = self.work / f"{stage}.ended"
        if mark.exists():
            return True
        if self.left < 0.6:
            return False
        time_left = ["--minutes", f"{self.left - 0.4:.2f}"]
        ended = self._run([f"second_{stage}.py", *self.preset[stage], *time_left, "--work", str(self.work)])
        for path in (*self.work.glob("*.safetensors"), *self.work.glob("*.log")):
            shutil.copy(path, self.out)
        if ended:
            mark.touch()
        return ended

    def measure(self) -> None:
        """Every number of the detector, where it was trained here, and of the rest."""
        device, detector = self.preset["measure"][:2], self.work / "world_detector2.safetensors"
        if detector.is_file():
            more = ["--each", str(self.each), "--out", str(self.out / "second-detector.csv")]
            self._run(["second_detector.py", "--measure", str(detector), *more, *device])
        more = ["--weights", str(self.work), "--out", str(self.out / "world-2-floors.csv")]
        self._run(["second_measure.py", "--edition", "2", *more, *self.preset["measure"]])

    def _run(self, line: Sequence[str]) -> bool:
        print("$", *line, flush=True)
        roots = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        done = subprocess.run([sys.executable, str(HERE / line[0]), *line[1:]], env={**os.environ, "PYTHONPATH": roots})
        if done.returncode not in (0, STOPPED):
            raise SystemExit(f"{line[0]} failed with status {done.returncode}")
        return done.returncode == 0


def main() -> None:
    """Go on where the last call stopped."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--preset", choices=tuple(PRESETS), required=True)
    line.add_argument("--limit", type=float, default=1e6, help="minutes of this call")
    line.add_argument("--work", type=Path, default=Path("runs/world2"), help="states and weights")
    line.add_argument("--out", type=Path, default=Path("runs/world2-results"), help="weights, CSVs and logs")
    line.add_argument("--stages", default=",".join(STAGES), help="those to train; --work holds the others' weights")
    line.add_argument("--each", type=int, help="fresh scenes of each task and harm for the detector")
    line.add_argument("--measure", action="store_true", help="measure what is there, also unfinished stages")
    given = line.parse_args()
    for folder in (given.work, given.out):
        folder.mkdir(parents=True, exist_ok=True)
    call = Call(given)
    ended = all(call.train(stage) for stage in call.stages)
    if measured := given.measure or (ended and call.left > MEASURING):
        call.measure()
    print("measured" if measured else "stopped; the same command goes on")
    raise SystemExit(0 if measured else STOPPED)


if __name__ == "__main__":
    main()
