"""report.html of a probe: the answer, a table of tasks, and images with what was seen in them; one file, no script."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from typing import Any

from markupsafe import Markup

from evalkit.jsonio import parse_json
from evalkit.metrics.probe import IMAGES, IMAGES_PROBED, PROMPTS
from evalkit.pages.html import run_page
from evalkit.pages.labels import metric_label
from evalkit.runs.store import Run
from evalkit.tasks.probe.drawing import drawing
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.record import ImageEvidence
from evalkit.tasks.probe.gallery import gallery_file, gallery_positions
from evalkit.tasks.probe.spec import EVIDENCE
from evalkit.tasks.probe.words import answer, coverage_sentence, notes, percent

REPLIES = 4  # of an image
LISTED = 50  # images that could not be read
WORDS = {
    "missing": "too few of a class",
    "color": "another colour",
    "position": "another place",
    "excess": "too many of a class",
}
LOST_WORDS = {
    "refused": "refused by the judge",
    "unparsed": "unreadable reply",
    "failed": "no reply",
}


def page(run: Run) -> str:
    """The page of a sealed probe; the same run gives the same text."""
    shown = _shown(run)
    tasks = list(dict.fromkeys(run.samples["task"].to_pylist()))
    judged = "judge" in run.record["probe"]["evidence"]
    words = LOST_WORDS if judged else WORDS
    kinds = [kind for kind in words if any(kind in each["kinds"] for each in shown)]
    style = (package_files("evalkit.tasks.probe") / "page.css").read_text(encoding="utf-8") + _filters(tasks, kinds)
    return run_page(
        "evalkit.tasks.probe",
        {
            "record": run.record,
            "told": run.record["probe"],
            "answer": answer(run.record, run.results),
            "coverage": " ".join([coverage_sentence(run.record["probe"]), *notes(run.record["probe"])]),
            "judged": judged,
            "scores": _scores(run),
            "reasons": _reasons(run, tasks, words, lost=judged),
            "words": words,
            "shown": shown,
            "tasks": tasks,
            "kinds": kinds,
            "failed": [row for row in run.samples.select(["id", "error"]).to_pylist() if row["error"] is not None][
                :LISTED
            ],
            "facts": _facts(run),
        },
        style=style,
    )


def _scores(run: Run) -> list[dict[str, Any]]:
    """A row for each score: what it is of, the share, its interval, images."""
    base, scales = run.record["probe"]["score"], run.record["probe"].get("scales", {})
    names = {base: "overall", f"{base}/{IMAGES}": "all images alike"}
    names[f"{base}/{PROMPTS}"] = "prompts with a right image"
    return [
        {
            "name": names.get(row["metric"], str(row["metric"]).removeprefix(f"{base}/").replace("_", " ")),
            "label": metric_label(row["metric"]),
            **{key: percent(row[key], scales.get(row["metric"], 1)) for key in ("value", "low", "high")},
            "n": row["n"],
            "why": row.get("reason"),
            "method": row["ci_method"],
            "first": row["metric"] == base,
        }
        for row in run.results
        if row["better"] != IMAGES_PROBED.better
    ]


def _reasons(
    run: Run, tasks: Sequence[str], words: Mapping[str, str], *, lost: bool
) -> list[tuple[str, int, list[int]]]:
    """(task, wrong or `lost` images, how many of them for each kind of reason; with answers that scored images lack)."""
    counts = {task: Counter[str]() for task in tasks}
    wrong = Counter[str]()
    for task, kinds, score in zip(*(run.samples[name].to_pylist() for name in ("task", "kinds", "score")), strict=True):
        counts[task].update(set((kinds or "").split()))
        wrong[task] += score is None if lost else score is not None and score < 1
    if run.record["probe"].get("lost_answers"):
        for task, details in zip(*(run.samples[name].to_pylist() for name in ("task", "details")), strict=True):
            counts[task].update(parse_json(details or "{}", "details").get("official", {}).get("lost_by", {}))
    return [(task, wrong[task], [counts[task][kind] for kind in words]) for task in tasks]


def _shown(run: Run) -> list[dict[str, Any]]:
    positions = gallery_positions(run.samples)
    rows = run.samples.take(positions).to_pylist() if positions else []
    seen = {each.image: each for each in read_evidence(run.path / EVIDENCE).images}
    return [_item(run, position, row, seen[row["image"]]) for position, row in zip(positions, rows, strict=True)]


def _item(run: Run, position: int, row: Mapping[str, Any], seen: ImageEvidence) -> dict[str, Any]:
    file = run.path / gallery_file(position)
    data = base64.b64encode(file.read_bytes()).decode() if file.is_file() else None
    judged = seen.replies is not None
    drawn, names = (Markup(""), []) if judged else drawing(seen, row["details"])
    replies = [
        (each.question, " ".join((each.reply.raw.text or each.reply.detail).split())) for each in seen.replies or ()
    ]
    return {
        **row,
        "right": row["score"] is not None and (judged or row["score"] >= 1),
        "replies": replies[:REPLIES],
        "verdict": f"{row['score']:.3g}" if judged and row["score"] is not None else None,
        "kinds": str(row["kinds"] or "").split(),
        "reasons": str(row["reason"] or "").split("\n") if row["reason"] else [],
        "data": None if data is None else Markup("data:image/webp;base64," + data),
        "drawing": drawn,
        "names": names,
    }


def _filters(tasks: Sequence[str], kinds: Sequence[str]) -> str:
    """Rules that hide what the chosen task, verdict or reason leaves out."""
    lines = [f"#task-{i}:checked ~ .found > li:not(.task-{i})" for i in range(len(tasks))]
    lines += [f"#why-{name}:checked ~ .found > li:not(.why-{name})" for name in ("right", "wrong", *kinds)]
    chosen = [f"#task-{i}:checked ~ .by-task label[for=task-{i}]" for i in ("all", *range(len(tasks)))]
    chosen += [f"#why-{name}:checked ~ .by-why label[for=why-{name}]" for name in ("all", "right", "wrong", *kinds)]
    focus = [each.replace(":checked", ":focus-visible") for each in chosen]
    return (
        f"{', '.join(lines)} {{ display: none; }}\n"
        f"{', '.join(chosen)} {{ background: var(--accent); border-color: var(--accent); color: var(--card); }}\n"
        f"{', '.join(focus)} {{ outline: 2px solid var(--accent); outline-offset: 2px; }}\n"
    )


def _judge(told: Mapping[str, Any]) -> str:
    """The judge of the replies, and the snapshot that it is said to be; empty where nobody judged."""
    part = told["evidence"].get("judge")
    if not isinstance(part, Mapping):
        return ""
    name, snapshot = str(part.get("judge") or "not stated in the evidence"), part.get("snapshot")
    return f"{name}, snapshot {snapshot}" if snapshot and snapshot != name else name


def _facts(run: Run) -> list[tuple[str, str]]:
    record, told = run.record, run.record["probe"]
    used = [
        f"{part['encoder']}, {part.get('version') or 'version not stated'}"
        + (f", sha256 {part['weights_sha256']}" if part.get("weights_sha256") else "")
        for part in told["evidence"].values()
        if isinstance(part, Mapping) and part.get("encoder")
    ]
    data = record["data"]
    found = [
        ("command", " ".join(record["command"])),
        ("suite", f"{told['suite']}: {told['title']}"),
        ("rules", f"{record['protocols'][0]['id']}, sha256 {record['protocols'][0]['sha256']}"),
        *([("judged by", judge)] if (judge := _judge(told)) else []),
        *([("looked by", "; ".join(used) or "not stated in the evidence")] if used or not judge else []),
        ("images" if data["spec"] else "evidence", f"{data['name']}, {data['n']:,} images, sha256 {data['digest']}"),
        ("prompts", f"{record['prompts']['n']:,} of {record['prompts']['name']}, sha256 {record['prompts']['digest']}"),
        ("made", f"{record['created']} by evalkit {record['evalkit']}"),
    ]
    return [(name, text) for name, text in found if text]
