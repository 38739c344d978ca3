"""Measure evalkit beside its peers on this machine, and write the tables of docs/speed.md and docs/cluster.md from CSV.

python benchmarks/run.py                   all scripts with peers, in turn
python benchmarks/run.py --only ssim,encoders
python benchmarks/run.py --table           no measurement, the tables alone
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from goals import goals, precision, scale

HERE = Path(__file__).parent
RESULTS, DOCS = HERE / "speed" / "results", HERE.parent / "docs"
SCRIPTS = {  # name: script with its arguments; each writes results/<name>.csv
    "ssim": ("speed/ssim.py",),
    "frechet": ("speed/frechet.py",),
    "score-algebra": ("speed/score_algebra.py",),
    "encoders": ("speed/encoders.py",),
    "score": ("speed/score.py",),
    "tokenizers-jpeg-q75": ("tokenizers.py", "--model", "jpeg-q75"),
    "tokenizers-jpeg-q75-1024px": (
        *("tokenizers.py", "--model", "jpeg-q75"),
        *("--side", "1024", "--images", "200", "--script-images", "20"),
    ),
    "geneval": ("speed/geneval.py",),
    "marks": ("speed/marks.py",),
}


def measure(names: list[str]) -> None:
    """Run the scripts one after the other."""
    for name in names:
        script, *arguments = SCRIPTS[name]
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, str(HERE / script), *arguments])
        if done.returncode:
            print(f"{name} was left out: it ended with {done.returncode}, for want of a peer's package perhaps")


def table() -> str:
    """Markdown: one line for each piece of work and peer, with medians and the ratio to evalkit."""
    lines = [
        "| work | evalkit, ms | peer | peer, ms | times evalkit's | in CPU time | machine |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in SCRIPTS:
        path = RESULTS / f"{name}.csv"
        if not path.exists():
            continue
        groups: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        with path.open(newline="") as stream:
            for row in csv.DictReader(stream):
                if row.get("candidate") and row.get("median_ms"):
                    groups[row.get("work") or row.get("dim") or row.get("model") or name][row["candidate"]] = row
        for work, rows in groups.items():
            ours = rows.pop("evalkit", None)
            if ours is not None:
                shown = f"{name.partition('-')[0]}, {work}" if work != name else name
                lines += [line(shown, ours, peer, row) for peer, row in rows.items()]
    return "\n".join(lines)


def line(work: str, ours: dict[str, str], peer: str, row: dict[str, str]) -> str:
    """One line of the table."""
    mine, other = float(ours["median_ms"]), float(row["median_ms"])
    used = [each.get("median_cpu_ms") for each in (row, ours)]
    cpu = f"{float(used[0]) / float(used[1]):.3g}" if used[0] and used[1] else ""
    return f"| {work} | {mine:,.1f} | {peer} | {other:,.1f} | {other / mine:.3g} | {cpu} | {row['machine']} |"


TABLES = {"speed.md": {"peers": table, "goals": goals, "precision": precision}, "cluster.md": {"scale": scale}}


def published(page: str, text: str) -> str:
    """The text of a page with its tables between their marks."""
    for name, made in TABLES[page].items():
        start, end = f"<!-- {name}: written by benchmarks/run.py -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}\n\n{made()}\n\n{end}{after}"
    return text


def publish() -> None:
    """Write the tables of both pages."""
    for page in TABLES:
        path = DOCS / page
        path.write_text(published(page, path.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> None:
    """Measure, then publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SCRIPTS), help=f"some of {', '.join(SCRIPTS)}")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    given = parser.parse_args()
    names = [each for each in given.only.split(",") if each]
    unknown = [each for each in names if each not in SCRIPTS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(SCRIPTS)}")
    if not given.table:
        measure(names)
    publish()


if __name__ == "__main__":
    main()
