"""`make_leaderboard`: from run folders to a folder with the page and the same numbers in every format."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.jsonio import parse_json, pretty_json
from evalkit.leaderboard.aggregate import aggregates
from evalkit.leaderboard.boards import Apart, Board, Boards, make_boards
from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.common import Common, common_samples
from evalkit.leaderboard.document import document
from evalkit.leaderboard.drill import write_drill
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.every_eval_ever import entries
from evalkit.leaderboard.hub import files, parse_benchmark
from evalkit.leaderboard.names import named
from evalkit.leaderboard.render import write_page
from evalkit.leaderboard.reported import Reported, Scope, imported_on, reported_on
from evalkit.leaderboard.tables import csv_text, latex_text, markdown_text, rows
from evalkit.leaderboard.wide import wide_csv, wide_latex
from evalkit.leaderboard.words import title, why_apart
from evalkit.runs.find import find_runs
from evalkit.runs.record import now
from evalkit.runs.store import check_target, write_bytes

MARK = "leaderboard.json"
FORMATS = {
    "csv": ("CSV", "leaderboard.csv"),
    "json": ("JSON", MARK),
    "markdown": ("Markdown", "leaderboard.md"),
    "latex": ("LaTeX", "leaderboard.tex"),
    "wide": ("one table as LaTeX", "table.tex"),
    "wide csv": ("one table as CSV", "table.csv"),
}
OLD = ("data", "pictures", "every_eval_ever", "eval_results")  # folders of an earlier leaderboard, made anew


@dataclass(frozen=True)
class LeaderboardOptions:
    """What a leaderboard shows.

    `metrics`: only these. `aggregate`: metrics whose mean over data sets is wanted. `reported`: figures that papers
    state, of the `measured` models, of `all` systems, or `none`. `parts`: single scripts, scales and bits too. `common`:
    numbers that share samples are taken on those that all of them have. `copy`: images too, so that the folder can be
    moved. `organization` (who evaluated): write Every Eval Ever. `benchmarks` (OWNER/NAME:TASK=METRIC): write the Hub's
    `.eval_results`. `public_key`: of the signer whose runs are marked as verified; a run with another signature, or one
    that does not hold, is refused. `names`: what the system of a run is called, by the run's path; a system's runs on
    several boards stand in one line of the overview.
    """

    metrics: tuple[str, ...] = ()
    aggregate: tuple[str, ...] = ()
    reported: Scope = "measured"
    parts: bool = False
    common: bool = False
    copy: bool = False
    organization: str | None = None
    benchmarks: tuple[str, ...] = ()
    public_key: Path | None = None
    names: Mapping[Path, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Progress, compare=False)


@dataclass(frozen=True)
class Leaderboard:
    """What was made: the page's `path`, and all that is on it. `copies`: runs that were given twice."""

    path: Path
    boards: tuple[Board, ...]
    entrants: tuple[Entrant, ...]
    reported: tuple[tuple[Reported, ...], ...]
    apart: tuple[Apart, ...]
    copies: tuple[Path, ...]


def make_leaderboard(
    runs: str | Path | Sequence[str | Path], out: str | Path, options: LeaderboardOptions | None = None
) -> Leaderboard:
    """Write the leaderboard over the sealed `runs` into the folder `out`; an earlier one there is replaced.

    `runs`: a run, a folder of runs or a pattern, or several of them.

    Raises `EvalkitError` where a run is not sealed or was changed, where no two of several runs can be ranked together,
    and where `out` holds anything else or lies in a run.

    >>> import tempfile
    >>> import evalkit
    >>> from evalkit.jobs.options import RunOptions
    >>> folder = Path(tempfile.mkdtemp())
    >>> runs = evalkit.evaluate_tokenizer(["jpeg-q75", "jpeg-q10"], "sample/photos", tasks=["reconstruction"],
    ...                                   options=RunOptions(out=folder / "runs", limit=3, keep="none"))
    >>> board = make_leaderboard([run.path for run in runs], folder / "board")
    >>> board.path.exists()
    True
    """
    options, folder, paths = options or LeaderboardOptions(), Path(out), find_runs(runs).sealed
    check_target(folder, paths, "leaderboard", lambda: _is_ours(folder / MARK))
    benchmarks = [parse_benchmark(each) for each in options.benchmarks]
    told = options.progress
    told.start("leaderboard", len(paths))
    try:
        collected = collect(paths, parts=options.parts, names=options.names, tell=told.advance)
    finally:
        told.finish()
    if not collected.entrants:
        said = "imported runs stand beside measured ones only" if collected.imported else "give run folders"
        raise EvalkitError(f"a leaderboard needs at least one finished run that was measured here; {said}")
    if options.public_key is not None:
        collected = replace(collected, entrants=_verified(collected.entrants, options.public_key))
    shared = common_samples(collected, parts=options.parts) if options.common else Common(collected, {})
    collected = shared.collected
    found = make_boards(collected, metrics=options.metrics, common=shared.boards if options.common else None)
    entrants = collected.entrants
    _check_boards(found, entrants, options.metrics)
    means = [board for metric in options.aggregate for board in aggregates(found.boards, collected, metric)]
    boards = named([*means, *found.boards])
    reported = tuple(
        (*reported_on(board, entrants, options.reported), *imported_on(board, entrants, collected.imported))
        for board in boards
    )
    created = now()
    plain = document(boards, collected, reported, found, folder, options.command, created)
    listed = list(rows(boards, entrants, reported))
    extra: dict[str, bytes] = {}
    if options.organization:
        made = entries(boards, entrants, options.organization)
        extra |= {f"every_eval_ever/{path}": pretty_json(entry) for path, entry in made.items()}
    if benchmarks:
        extra |= {f"eval_results/{name}": text.encode() for name, text in files(boards, entrants, benchmarks).items()}
    try:
        for old in OLD:
            shutil.rmtree(folder / old, ignore_errors=True)
        write_bytes(folder / MARK, pretty_json(plain))
        write_bytes(folder / "leaderboard.csv", csv_text(listed).encode())
        write_bytes(folder / "leaderboard.md", markdown_text(boards, entrants, reported, found.apart).encode())
        write_bytes(folder / "leaderboard.tex", latex_text(boards, entrants).encode())
        write_bytes(folder / "table.csv", wide_csv(boards, entrants).encode())
        write_bytes(folder / "table.tex", wide_latex(boards, entrants).encode())
        for name, data in extra.items():
            write_bytes(folder / name, data)
        write_drill(folder, boards, collected, copy=options.copy)
        page = write_page(folder, boards, collected, reported, found, list(FORMATS.values()), created)
    except OSError as error:
        raise EvalkitError(f"{folder} cannot be written ({error.strerror}); give another place with --out") from None
    return Leaderboard(page, boards, entrants, reported, found.apart, collected.copies)


def _is_ours(mark: Path) -> bool:
    try:
        return isinstance(parse_json(mark.read_bytes(), mark.name).get("leaderboard"), int)
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _check_names(board: Board, entrants: Sequence[Entrant]) -> None:
    found: dict[str, Entrant] = {}
    for each in (entrants[number] for number in board.entrants):
        if (other := found.setdefault(each.name, each)) is not each:
            raise EvalkitError(
                f"{other.path} and {each.path} are both called {each.name}, and both have {title(board)}. "
                "Give them two names"
            )


def _verified(entrants: Sequence[Entrant], key: Path) -> tuple[Entrant, ...]:
    """The entrants, those marked that are whole and signed by `key`; raises for one whose signature does not hold."""
    from evalkit.provenance.keys import load_public_key  # the extra [sign] is needed for signatures only
    from evalkit.provenance.verify import Depth, verify_run

    depth = Depth(key=load_public_key(key), recompute=False)
    marked = []
    for each in entrants:
        wrong = verify_run(each.path, depth).failures if each.signed else ()
        if wrong:
            raise EvalkitError(
                f"{each.path}/{wrong[0].file}: {wrong[0].reason}; it is put on no leaderboard with this key"
            )
        marked.append(replace(each, verified=each.signed))
    return tuple(marked)


def _check_boards(found: Boards, entrants: Sequence[Entrant], metrics: Sequence[str]) -> None:
    """The runs of one system make a leaderboard; those of several of which no two can be ranked do not."""
    boards, apart = found.boards, found.apart
    if not boards and found.counts:
        raise EvalkitError(
            f"of {', '.join(found.counts)} no value is better than another, so these runs cannot be ranked by it; "
            "see the numbers with: evalkit query"
        )
    if not boards:
        wanted = f"of {', '.join(metrics)}" if metrics else "at all"
        raise EvalkitError(
            f"these runs hold no number {wanted}; see what there is with: evalkit query, or leave out --metric"
        )
    for board in boards:
        _check_names(board, entrants)
    one = len({each.name for each in entrants}) == 1 and not apart
    if not one and not any(len(board.entrants) > 1 for board in boards):
        reasons = "\n".join(f"  {why_apart(each, entrants)}" for each in apart[:4])
        alone = "; they have no metric in common. Runs of one system get one name: --name NAME=RUN for each"
        said = f":\n{reasons}" if reasons else alone
        raise EvalkitError(f"no two of these {len(entrants)} runs can be ranked together{said}")
