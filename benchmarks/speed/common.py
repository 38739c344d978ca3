"""What the speed scripts share: taking turns, the machine's name, and a CSV of every repeat."""

from __future__ import annotations

import csv
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.peak import process_peak

RESULTS = Path(__file__).parent / "results"
COMMAND = """import sys
from evalkit.cli import main
from evalkit.peak import process_peak
try:
    main()
finally:  # on the last line, what this process held
    print(process_peak() or 0, file=sys.stderr)
"""


def in_turn(
    work: Mapping[str, Callable[[], Any]], repeats: int, used: dict[str, list[float]] | None = None
) -> dict[str, list[float]]:
    """CPU-warm wall seconds of each candidate, one after the other in every round, so that noise hits all alike.

    CPU seconds of each are added to `used`.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for call in work.values():
        call()
    for _ in range(repeats):
        for name, call in work.items():
            started, before = time.perf_counter(), time.process_time()
            call()
            seconds[name].append(time.perf_counter() - started)
            if used is not None:
                used.setdefault(name, []).append(time.process_time() - before)
    return seconds


def peak_mb() -> float:
    """Most memory of this program so far, in MiB."""
    return (process_peak() or 0) / 2**20


def machine() -> str:
    """Processor and number of cores."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores"


def read(name: str) -> list[dict[str, Any]]:
    """Rows of results/<name>.csv as text, none where there is no such file."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def write(name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows to results/<name>.csv and print them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    fields = ["machine", *(name for name in rows[0] if name != "machine")]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fields)
        writer.writeheader()
        writer.writerows({"machine": machine(), **row} for row in rows)
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    return path


def summary(seconds: Mapping[str, Sequence[float]], ours: str, each: int = 1) -> list[dict[str, Any]]:
    """Median milliseconds of one unit of work, spread, and how many times slower than `ours`."""
    base = statistics.median(seconds[ours])
    return [
        {
            "candidate": name,
            "median_ms": round(statistics.median(times) / each * 1e3, 4),
            "min_ms": round(min(times) / each * 1e3, 4),
            "max_ms": round(max(times) / each * 1e3, 4),
            "repeats": len(times),
            "times_ours": round(statistics.median(times) / base, 2),
        }
        for name, times in seconds.items()
    ]
