"""CPU seconds of `import evalkit` and `evalkit --help`, beside `import numpy` and `import torch`.

python benchmarks/speed/startup.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from common import write

CASES = {
    "python alone": "pass",
    "import evalkit": "import evalkit",
    "evalkit --help": "from evalkit.cli import group; group(['--help'], standalone_mode=False)",
    "import numpy": "import numpy",
    "import torch": "import torch",
}


def cpu_seconds(code: str) -> float:
    """User and system time of one fresh interpreter."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and write results/startup.csv."""
    rows = []
    for name, code in CASES.items():
        times = [cpu_seconds(code) for _ in range(7)]
        rows.append({"work": name, "median_cpu_s": round(statistics.median(times), 3), "repeats": len(times)})
    write("startup", rows)


if __name__ == "__main__":
    main()
