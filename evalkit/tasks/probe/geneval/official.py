"""GenEval's own files: the folder of images that its script reads, and the result file that it writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain
from evalkit.tasks.probe.geneval.prompts import GenevalPrompt
from evalkit.tasks.probe.layout import PlacedImage
from evalkit.tasks.probe.rows import ProbeRow
from evalkit.tasks.probe.suite import SuitePrompt
from evalkit.whole_files import whole

_IMAGE = re.compile(r"\d+\.png")
_OTHER = frozenset((".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"))


def read_layout(folder: Path, prompts: Sequence[SuitePrompt], suite: str) -> list[PlacedImage]:
    """The images of FOLDER/NNNNN/samples/KKKK.png, in order; each folder's metadata.jsonl must be its prompt's line.

    Raises `EvalkitError` for a folder without this layout, prompts that do not match, and images that the official
    script would pass over (other formats or names).
    """
    try:
        numbered = sorted((int(p.name), p) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())
    except OSError as error:
        raise EvalkitError(f"{folder} cannot be read: {error.strerror}. Give a folder of images") from None
    if not numbered:
        raise EvalkitError(
            f"{folder} has no folders 00000, 00001, …, one for each prompt. Give GenEval's layout "
            f"({folder.name}/00000/samples/0000.png), or name files by prompt and image ({prompts[0].id}-00.png) and type: "
            f"evalkit generate --model folder:{folder} --prompts {suite} --out RUN"
        )
    found: list[PlacedImage] = []
    for number, place in numbered:
        if number >= len(prompts):
            raise EvalkitError(f"{place.name} is no prompt of a suite of {len(prompts)}. Remove the folder")
        _check_metadata(place / "metadata.jsonl", prompts[number])
        found += [PlacedImage(path, prompts[number].id, i) for i, path in enumerate(_samples(place / "samples"))]
    return found


def write_results(path: Path, rows: Iterable[ProbeRow], prompts: Mapping[str, GenevalPrompt]) -> None:
    """The official result file: one JSON object for each image, with metadata and details as JSON texts."""
    with whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(results_lines(rows, prompts))


def results_lines(rows: Iterable[ProbeRow], prompts: Mapping[str, GenevalPrompt]) -> Iterator[str]:
    """The lines of that file."""
    for row in rows:
        yield json.dumps(_result(row, prompts[row.prompt]), ensure_ascii=False) + "\n"


def read_results(path: Path, prompts: Sequence[GenevalPrompt]) -> list[ProbeRow]:
    """The rows of an official result file, with the official script's verdicts. Raises `EvalkitError` with the line."""
    ids = {json.dumps(dict(prompt.metadata), sort_keys=True): prompt.id for prompt in prompts}
    seen: dict[str, int] = {}
    rows = []
    for number, line in _lines(path):
        try:
            row = _row_of(parse_json(line, "the line"), ids)
        except DAMAGED as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0][:120]
            raise EvalkitError(
                f"{path.name}, line {number}: {said}. Give the file that GenEval's script writes"
            ) from None
        seen[row.prompt] = seen.get(row.prompt, -1) + 1
        rows.append(replace(row, sample=seen[row.prompt]))
    if not rows:
        raise EvalkitError(f"{path.name} holds no result. Give the file that GenEval's script writes")
    return rows


def _check_metadata(path: Path, prompt: SuitePrompt) -> None:
    try:
        found = parse_json(read_plain(path), path.name)
    except (OSError, ValueError, RecursionError):
        raise EvalkitError(
            f"{path} is missing or no JSON object. Write the prompt's line of the suite into it"
        ) from None
    if found != dict(prompt.metadata):
        raise EvalkitError(
            f"{path} is not the line of prompt {prompt.id} ({prompt.prompt!r}). Give images of this suite"
        )


def _samples(folder: Path) -> list[Path]:
    try:
        files = sorted(p for p in folder.iterdir() if p.is_file())
    except OSError:
        raise EvalkitError(f"{folder} is not there. Put the images of a prompt into its folder samples") from None
    odd = [p.name for p in files if p.suffix.lower() in {".png", *_OTHER} and not _IMAGE.fullmatch(p.name)]
    if odd:
        raise EvalkitError(f"{folder} holds {odd[0]}, which GenEval passes over. Save images as 0000.png, 0001.png, …")
    return sorted((p for p in files if _IMAGE.fullmatch(p.name)), key=lambda p: (int(p.stem), p.name))


def _result(row: ProbeRow, prompt: GenevalPrompt) -> dict[str, Any]:
    return {
        "filename": row.image,
        "tag": row.task,
        "prompt": prompt.prompt,
        "correct": row.score == 1,
        "reason": row.reason,
        "metadata": json.dumps(dict(prompt.metadata), ensure_ascii=False),
        "details": json.dumps(dict(row.details)),
    }


def _row_of(found: Any, ids: Mapping[str, str]) -> ProbeRow:
    prompt = ids.get(json.dumps(parse_json(str(found["metadata"]), "metadata"), sort_keys=True))
    if prompt is None:
        raise ValueError(f"its metadata is of no prompt of the suite ({str(found['prompt'])[:60]!r})")
    if not isinstance(found["correct"], bool) or not isinstance(found["reason"], str):
        raise ValueError("'correct' is not true or false, or 'reason' is no text")
    details = parse_json(str(found["details"]), "details")
    if not isinstance(details, dict):
        raise ValueError("'details' is no object")
    image, task, right = str(found["filename"]), str(found["tag"]), float(found["correct"])
    return ProbeRow(image, prompt, 0, task, right, reason=found["reason"], details=details)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        data = read_plain(path)
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read: {error.strerror}. Give a result file") from None
    return ((number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip())
