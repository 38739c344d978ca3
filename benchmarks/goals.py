"""The tables of docs/speed.md and docs/cluster.md that say what was measured, from the CSV files alone."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
BUSY = 3.0  # load from which wall times of two cores say nothing
Row = Mapping[str, str]


@cache
def rows(name: str) -> list[Row]:
    """Rows of speed/results/<name>.csv, or of tables/<name>.csv."""
    path = next(path for folder in ("speed/results", "tables") if (path := HERE / folder / f"{name}.csv").exists())
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def row(name: str, *said: str) -> Row:
    """The first row in which some value begins with each of the words said."""
    return next(each for each in rows(name) if all(any(str(v).startswith(s) for v in each.values()) for s in said))


def number(name: str, column: str, *said: str) -> float:
    """A value of such a row."""
    return float(row(name, *said)[column])


def times(name: str, peer: str, *said: str, column: str = "median_ms", digits: int = 1) -> str:
    """How many times evalkit's a peer's value is."""
    ratio = number(name, column, peer, *said) / number(name, column, "evalkit", *said)
    return f"{ratio:.{digits}f}"


@dataclass(frozen=True)
class Goal:
    """One line of the table; `measured` writes what the file holds."""

    what: str
    goal: str
    file: str
    measured: Callable[[], str]


def _gigabytes(name: str, column: str, *said: str) -> str:
    return f"{number(name, column, *said) / 1000:.2g} GB"


def _seconds(name: str, *said: str) -> str:
    return f"{number(name, 'median_ms', *said) / 1000:.2g} s"


def _query() -> str:
    many = [each for each in rows("query") if each["runs"] == "200" and float(each["lines"]) < 10_000]
    cpu, few = sorted(float(each["cpu_seconds"]) for each in many), row("query", "20", "two runs")
    return (
        f"{cpu[0]:.1f} to {cpu[-1]:.1f} s of CPU, {max(float(e['peak_mb']) for e in many) / 1000:.1f} GB "
        f"(20 runs: {float(few['cpu_seconds']):.1f} s, {float(few['peak_mb']) / 1000:.2f} GB)"
    )


def _encoders() -> str:
    peers = {"Inception": "torch-fidelity", "EfficientNet-lite0": "timm", "LPIPS": "lpips"}
    wall, cpu = ([times("encoders", p, w, column=c) for w, p in peers.items()] for c in ("median_ms", "median_cpu_ms"))
    rounds = row("encoders", "Inception")["repeats"]
    return f"{', '.join(wall)} times, in CPU time {', '.join(cpu)} ({rounds} rounds on a busy machine)"


def _score(work: str, peer: str) -> str:
    ours, theirs = (number("score", "median_ms", work, name) for name in ("evalkit", peer))
    return f"{theirs / ours:.1f} times ({ours:.1f} and {theirs:.1f} ms; {row('score', work)['rounds']} round)"


def _codec() -> str:
    name = "tokenizers-jpeg-q75-256px"
    script = times(name, "VTBench")
    wall, cpu = (1 / float(times(name, "two-thread", column=c, digits=6)) for c in ("median_ms", "median_cpu_ms"))
    met = "met" if wall <= 1.3 else "not met"
    return f"{script} times the script; {wall:.2f} times the loop's wall time ({met}), {cpu:.2f} times its CPU time"


def _large() -> str:
    name, before = "tokenizers-jpeg-q75-1024px", "evalkit tokenizer of before"
    wall, cpu = (
        number(name, c, before) / next(float(e[c]) for e in rows(name) if e["candidate"] == "evalkit tokenizer")
        for c in ("median_ms", "median_cpu_ms")
    )
    return f"{cpu:.1f} times in CPU time, {wall:.1f} in wall time (start-up included, on a busy machine)"


def _llamagen() -> str:
    share = number("tokenizers-llamagen-vq16", "share_outside_model", "evalkit")
    return (
        f"{1 / float(times('tokenizers-llamagen-vq16', 'bare', digits=4)):.1f} times; {share:.1%} is outside the model"
    )


def _memory(case: str) -> str:
    most = [each for each in rows("memory") if each["case"] == case][-1]
    held = f"{float(most['peak_mb']) / 1000:.2f} GB"
    return f"{held} for {int(most['images']):,} images, {most['above_smallest_mb']} MB more than for 200"


def _plan() -> str:
    found = rows("plan")
    quiet = all(float(each["load"]) < BUSY for each in found)
    names = {"cpu": "CPU time", "memory": "memory", "disk": "disk", **({"wall": "wall time"} if quiet else {})}
    worst = {name: max(abs(float(each[f"{name}_off"])) for each in found) for name in names}
    told = ", ".join(f"{names[name]} {value:.0%}" for name, value in worst.items())
    where = "" if quiet else " (too busy a machine for wall time)"
    return f"off by at most {told}: {', '.join(dict.fromkeys(e['command'] for e in found))}, three sizes each{where}"


def _workers() -> str:
    local, ray = (f"{number('workers', 'speed_up', name):.2f}" for name in ("2 processes", "2 Ray"))
    return f"{local} times (processes), {ray} times (Ray), the same rows"


def _driver() -> str:
    last = rows("scale")[-1]
    return (
        f"{float(last['driver_ms_per_shard']):.1f} ms of CPU for each shard, {float(last['driver_cpu_s']):.0f} s in all"
    )


def _help() -> str:
    slowest = row("startup", "help of")
    return f"{float(slowest['median_cpu_s']):.2f} s for the slowest"


def _rules() -> str:
    whole = _seconds("probe-rules", "the whole command")
    return (
        f"{_seconds('probe-rules', 'rules')}; the whole command, from the file to a sealed run with its page, {whole}"
    )


def _view() -> str:
    opened, found = (number("view", "work_ms_median", "gallery", work) for work in ("open", "filter"))
    return f"{opened / 1000:.2f} s, {found:.0f} ms, {number('view', 'work_ms_median', 'gallery', 'scroll 200'):.1f} ms"


def _board() -> str:
    middle = sorted(rows("leaderboard"), key=lambda each: float(each["seconds"]))[1]
    return f"{float(middle['seconds']):.1f} s, {float(middle['memory_mb']) / 1000:.2f} GB, {middle['page_mb']} MB"


def _algebra() -> str:
    rooted, manifold = (
        next(e for e in rows("score-algebra") if e["images"] == "50000" and e["candidate"].startswith(name))
        for name in ("evalkit Fréchet with", "evalkit precision")
    )
    most = max(float(each["peak_mb"]) for each in (rooted, manifold)) / 1000
    return f"{rooted['wall_s']} s with its interval and {manifold['wall_s']} s, {most:.1f} GB"


def _evidence() -> str:
    ours, bare = (number("probe-evidence", "median_ms", "Mask2Former of", name) for name in ("evalkit", "bare"))
    return f"{ours / bare:.2f} times the bare network, masks at full size included (on a busy machine)"


def _marks() -> str:
    ours, alone = (
        row("watermark-speed", "statistics, 1024", "evalkit"),
        row("watermark-speed", "statistics, 1024", "numpy"),
    )
    ratio = float(alone["wall_s_100000"]) / float(ours["wall_s"])
    return (
        f"{float(ours['wall_s']):.1f} s, {float(ours['peak_mb']) / 1000:.1f} GB; "
        f"an image at a time in numpy takes {ratio:.0f} times as long"
    )


def _hashes() -> str:
    level = number("verify", "share_of_sha256sum", "evalkit, verify")
    alone = next(float(e["share_of_sha256sum"]) for e in rows("verify") if e["candidate"] == "evalkit, hashes")
    return f"{level:.1f} times; hashing alone {alone:.1f} times"


GOALS = (
    Goal("`import evalkit`, `evalkit --help`", "0.15 s, 0.3 s of CPU", "startup.csv",
         lambda: f"{row('startup', 'import evalkit')['median_cpu_s']} s, {row('startup', 'evalkit')['median_cpu_s']} s"),
    Goal("help of every verb", "0.3 s of CPU", "startup.csv", _help),
    Goal("first image of the sample set, every default task", "3.2 s of CPU", "startup.csv",
         lambda: f"{number('startup', 'median_cpu_s', 'first image'):.1f} s"),
    Goal("SSIM of a 256 px pair", "5 times faster than both peers", "ssim.csv",
         lambda: f"{times('ssim', 'scikit-image')} times (scikit-image), {times('ssim', 'torchmetrics')} times "
                 f"(torchmetrics), equal to {number('ssim', 'difference_from_skimage', 'one'):.0e}"),
    Goal("Fréchet distance, 2048 dimensions", "2.5 times torch-fidelity, 10 times sqrtm", "frechet.csv",
         lambda: f"{times('frechet', 'torch-fidelity')} times, {times('frechet', 'scipy', digits=0)} times, equal to "
                 f"{number('frechet', 'relative_difference', 'scipy'):.0e}"),
    Goal("`evalkit query` over 200 runs of 10,000 samples: a mean by model, the ten worst, two runs at equal ids",
         "seconds, memory of the rows", "query.csv", _query),
    Goal("a leaderboard over 200 runs of 10,000 samples", "30 s and 2 GB, page below 5 MB", "leaderboard.csv", _board),
    Goal("statistics of 100,000 images under 1,024 lists of a watermark", "20 s, 2 GB",
         "watermark-speed.csv in benchmarks/tables", _marks),
    Goal("`evalkit verify` (level 2) of 20,000 images", "0.8 times the speed of sha256sum", "verify.csv", _hashes),
    Goal("`evalkit view` of 10,000 samples: open, filter, a frame of scrolling", "fluent", "view.csv", _view),
    Goal("Inception, EfficientNet-lite0, LPIPS on a CPU", "1.5, 1.3 and 1.1 times their peers", "encoders.csv", _encoders),
    Goal("driver of 10^8 samples in 24,415 shards, workers that do nothing", "linear", "scale.csv", _driver),
    Goal("two workers on two cores, 4,000 images of `world-ar`", "1.6 times one process", "workers.csv", _workers),
    Goal("`evalkit plan` beside the runs that it speaks of", "25 %", "plan.csv", _plan),
    Goal("GenEval's rules over the evidence of 2,212 images", "2 s", "probe-rules.csv", _rules),
    Goal("GenEval's evidence on a CPU, a network of the size of its detector (Swin-S, 100 queries) with random weights",
         "no slower than the bare network", "probe-evidence.csv", _evidence),
    Goal("`evalkit score`: FID, IS, KID, precision to coverage of an image of 256 px, CPU time beside torch-fidelity "
         "without its eigenvalues", "1.5 times", "score.csv", lambda: _score("FID, IS", "torch-fidelity")),
    Goal("`evalkit score --protocol clean`: FID and KID of an image, beside clean-fid without its matrix root",
         "1.5 times", "score.csv", lambda: _score("FID, KID", "clean-fid")),
    Goal("Fréchet distance, and precision to coverage, of 50,000 and 50,000 features of 2,048 numbers",
         "60 s and 4 GB on two cores", "score-algebra.csv", _algebra),
    Goal("memory of a scoring against as many images", "200 MB above that of 200", "memory.csv",
         lambda: _memory("score")),
    Goal("memory of a codec run, no torch being loaded", "500 MB, 200 MB above that of 200", "memory.csv",
         lambda: _memory("tokenizer")),
    Goal("`evalkit tokenizer --model jpeg-q75`, 1,000 images of 256 px, from files to a sealed run",
         "8 times a script of VTBench's shape, 1.3 times a loop of two threads", "tokenizers-jpeg-q75-256px.csv", _codec),
    Goal("the command on JPEG files of 1,024 px", "2 times its pace of 26 November 2026",
         "tokenizers-jpeg-q75-1024px.csv", _large),
    Goal("`evalkit tokenizer --model llamagen-vq16`, the same", "at most 1.2 times the bare model",
         "tokenizers-llamagen-vq16.csv", _llamagen),
)  # fmt: skip


def goals() -> str:
    """Markdown: what is aimed at, and what was measured."""
    lines = ["| what | goal | measured (2 cores) | file |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {g.what} | {g.goal} | {g.measured()} | {g.file} |" for g in GOALS)])


def precision() -> str:
    """Markdown: what lower precision would change."""
    lines = ["| model | precision | codes that would be equal | PSNR moves by |", "|---|---|---|---|"]
    for each in rows("precision"):
        equal, moved = float(each["codes_equal_if_encoded_so"]), float(each["psnr_moves_db_at_25"])
        lines.append(f"| {each['model']} | {each['dtype']} | {equal:.1%} | {moved:.3f} dB |")
    return "\n".join(lines)


def scale() -> str:
    """Markdown: what a run costs its driver."""
    heads = ("workers", "samples", "shard", "shards", "driver, ms of CPU for each shard", "of it storing", "sealing, s")
    lines = [f"| {' | '.join((*heads, 'peak of the driver'))} |", f"|{'---|' * (len(heads) + 1)}"]
    for each in (*rows("scale"), *rows("scale-ray")):
        counts = " | ".join(f"{int(each[name]):,}" for name in ("samples", "shard", "shards"))
        spent = f"{float(each['driver_ms_per_shard']):.1f} | {float(each['store_ms_per_shard']):.1f}"
        sealing = f"{float(each['seal_s']):.2g}"
        lines.append(f"| {each['workers']} | {counts} | {spent} | {sealing} | {int(each['driver_peak_mb']):,} MB |")
    return "\n".join(lines)
