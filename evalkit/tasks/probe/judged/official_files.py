"""Files of benchmarks' own scripts: scores and replies written as they write them, and theirs read as evidence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.judges.official import wise_found
from evalkit.judges.reply import RawReply, Reply
from evalkit.runs.plain import read_plain
from evalkit.tasks.probe.evidence.record import AskedReply, Evidence, ImageEvidence
from evalkit.tasks.probe.judged.items import JudgedItem, json_lines
from evalkit.tasks.probe.judged.layout import image_name
from evalkit.tasks.probe.judged.reading import snake
from evalkit.tasks.probe.judged.suite import JudgedSuite

Texts = dict[str, dict[str, str]]  # item id -> question -> what the judge wrote
_WISE = ("consistency", "realism", "aesthetic_quality")


def official_files(suite: JudgedSuite, evidence: Evidence) -> dict[str, bytes]:
    """The result files that the suite's own script would leave, by name; none for suites that leave none."""
    write = _WRITERS.get(suite.name)
    if write is None:
        return {}
    known = {item.id: item for item in suite.prompts()}
    rows = {row.image: dict(row.values) for row in suite.rules(evidence)}
    return write([(known[each.prompt], _texts(each), rows.get(each.image, {})) for each in evidence.images])


def official_evidence(suite: JudgedSuite, path: Path) -> Evidence | None:
    """The evidence in a file of the suite's own script, or a folder of them; None where it is of another form.

    The judge is not said in such files, so it is taken to be the suite's own. Raises `EvalkitError` for broken ones.
    """
    read = _READERS.get(suite.name)
    try:
        if suite.name in _FOUND and path.suffix == ".json":
            return _found(suite, path)
        texts = read(suite, path) if read else None
    except (OSError, *DAMAGED) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else type(error).__name__
        raise EvalkitError(f"{path} is no result file of {suite.name} ({said}). Give the official one") from None
    if texts is None:
        return None
    images = [
        _evidence(image_name(suite.said.images, item, 0), item.id, texts[item.id], suite.said.judge)
        for item in suite.prompts()
        if item.id in texts
    ]
    facts = {"suite": suite.name, "judge": {"judge": suite.said.judge, "snapshot": None}, "model": path.stem}
    return Evidence(tuple(images), facts)


def _evidence(image: str, item: str, texts: Mapping[str, str], judge: str) -> ImageEvidence:
    replies = (
        AskedReply(name, Reply("", "unparsed", "", None, RawReply(text=text)), judge) for name, text in texts.items()
    )
    return ImageEvidence(image, item, 0, replies=tuple(replies))


_FOUND = tuple(f"t2i-compbench-{split}" for split in ("spatial", "numeracy", "3d-spatial"))


def _found(suite: JudgedSuite, path: Path) -> Evidence:
    """T2I-CompBench's vqa_result.json: UniDet's score by the number of an image."""
    scores = {int(row["question_id"]): float(row["answer"]) for row in parse_json(read_plain(path), path.name)}
    images = [
        ImageEvidence(
            image_name(suite.said.images, item, sample), item.id, sample, replies=(), measures={"found": scores[number]}
        )
        for item in suite.prompts()
        for sample, number in enumerate(item.metadata["numbers"])
        if number in scores
    ]
    return Evidence(tuple(images), {"suite": suite.name, "model": path.parent.name})


def _texts(image: ImageEvidence) -> dict[str, str]:
    return {each.question: each.reply.raw.text for each in image.replies or ()}


def _wise_lines(rows: Sequence[tuple[JudgedItem, dict[str, str], dict[str, float]]]) -> dict[str, bytes]:
    """WISE's scores file; images without all scores are left out, as officially."""
    lines = []
    for item, texts, _ in rows:
        scores = wise_found(texts.get("scores", ""))
        if len(scores) == len(_WISE):
            lines.append(
                {"prompt_id": item.metadata["prompt_id"], "Subcategory": item.metadata.get("Subcategory"), **scores}
            )
    return {"wise_scores.jsonl": _json_lines(lines)}


def _verified_lines(rows: Sequence[tuple[JudgedItem, dict[str, str], dict[str, float]]]) -> dict[str, bytes]:
    lines = [
        {
            "prompt_id": item.metadata["prompt_id"],
            "Subcategory": item.metadata.get("Subcategory"),
            "score": values["wiscore"],
        }
        for item, _, values in rows
        if "wiscore" in values
    ]
    return {"wise_verified_scores.jsonl": _json_lines(lines)}


def _imgedit_json(rows: Sequence[tuple[JudgedItem, dict[str, str], dict[str, float]]]) -> dict[str, bytes]:
    """ImgEdit's replies and averages by key."""
    replies = {item.id: texts.get("scores", "") for item, texts, _ in rows}
    averages = {item.id: values["overall"] for item, _, values in rows if "overall" in values}
    return {"result.json": _json(replies), "average_score.json": _json(averages)}


def _gedit_csv(rows: Sequence[tuple[JudgedItem, dict[str, str], dict[str, float]]]) -> dict[str, bytes]:
    """GEdit's table, with the official spelling of its columns."""
    names = (
        "key",
        "task_type",
        "instruction",
        "sementics_score",
        "quality_score",
        "intersection_exist",
        "instruction_language",
    )
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for item, _, values in rows:
        fields = item.metadata
        scores = [values.get("consistency"), values.get("quality")]
        writer.writerow(
            [
                item.id,
                fields["task_type"],
                item.prompt,
                *scores,
                fields.get("Intersection_exist"),
                fields["instruction_language"],
            ]
        )
    return {"gedit_combined_gpt_score.csv": out.getvalue().encode()}


def _read_wise(suite: JudgedSuite, path: Path) -> Texts | None:
    rows = _lines_with(path, "prompt_id", _WISE[0])
    if rows is None:
        return None
    named = {"consistency": "Consistency", "realism": "Realism", "aesthetic_quality": "Aesthetic Quality"}
    return {
        str(row["prompt_id"]): {"scores": "\n".join(f"{label}: {row[name]:g}" for name, label in named.items())}
        for row in rows
    }


def _read_verified(suite: JudgedSuite, path: Path) -> Texts | None:
    rows = _lines_with(path, "prompt_id", "score")
    return None if rows is None else {str(row["prompt_id"]): {"scores": f"Score: {row['score']:g}"} for row in rows}


def _read_imgedit(suite: JudgedSuite, path: Path) -> Texts | None:
    if path.suffix != ".json":
        return None
    return {
        str(key): {"scores": text}
        for key, text in parse_json(read_plain(path), path.name).items()
        if isinstance(text, str)
    }


def _read_tiif(suite: JudgedSuite, path: Path) -> Texts | None:
    """The folder MODEL/TYPE/short|long/*.json of released replies; questions tell which item a file is of."""
    length = suite.name.rpartition("-")[2]
    if not path.is_dir() or not any(path.glob(f"*/{length}/*.json")):
        return None
    places: dict[tuple[str, str], list[str]] = {}
    for item in suite.prompts():
        places.setdefault((str(item.metadata["type"]), str(item.metadata["questions"])), []).append(item.id)
    found: Texts = {}
    for file in sorted(path.glob(f"*/{length}/*.json")):
        row: dict[str, Any] = parse_json(read_plain(file), file.name)
        asked = "\n".join(str(each).strip() for each in row["questions"])
        free = [name for name in places.get((str(row["attribute"]), asked), []) if name not in found]
        if not free:
            raise EvalkitError(f"{file} asks questions that {suite.name} does not have. Give replies of this suite")
        found[free[0]] = {"answers": str(row["model_output"])}
    return found


def _lines_with(path: Path, *names: str) -> list[dict[str, Any]] | None:
    """The rows of a file of JSON lines whose first has these names; None for another file."""
    if not path.is_file() or path.suffix != ".jsonl":
        return None
    rows = json_lines(path)
    return rows if rows and all(name in {snake(str(each)) for each in rows[0]} for name in names) else None


def _json(found: Mapping[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass")


def _json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "surrogatepass")


_Write = Callable[[Sequence[tuple[JudgedItem, dict[str, str], dict[str, float]]]], dict[str, bytes]]
_WRITERS: Mapping[str, _Write] = {
    "wise": _wise_lines,
    "wise-verified": _verified_lines,
    "imgedit": _imgedit_json,
    "gedit": _gedit_csv,
    "gedit-cn": _gedit_csv,
}
_READERS: Mapping[str, Callable[[JudgedSuite, Path], Texts | None]] = {
    "wise": _read_wise,
    "wise-verified": _read_verified,
    "imgedit": _read_imgedit,
    "tiif-short": _read_tiif,
    "tiif-long": _read_tiif,
}
