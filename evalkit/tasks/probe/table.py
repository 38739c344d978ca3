"""Tables of a probe: what shards hold (evidence as lines) and samples.parquet (verdicts, and a column for each score)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from evalkit.jsonio import parse_json
from evalkit.metrics.probe import PROMPTS
from evalkit.tasks.probe.evidence.lines import full_line
from evalkit.tasks.probe.evidence.record import ImageEvidence
from evalkit.tasks.probe.evidence.write import json_line, line_of
from evalkit.tasks.probe.listing import place_id
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore
from evalkit.tasks.probe.suite import SuitePrompt

LOOKED = pa.schema(
    [
        ("id", pa.string()),
        ("prompt_id", pa.string()),
        ("sample", pa.int32()),
        ("image", pa.string()),
        ("sha256", pa.string()),
        ("error", pa.string()),
        ("evidence", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        *[field for field in LOOKED if field.name != "evidence"],
        ("prompt", pa.string()),
        ("task", pa.string()),
        ("score", pa.float64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("kinds", pa.string()),
        ("details", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
    ]
)


def looked(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows of a shard; missing columns are null."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=LOOKED)


def looked_row(seen: ImageEvidence, sha256: str | None = None) -> dict[str, Any]:
    """The row of an image that was looked at; `sha256` is that of its file."""
    return {
        "id": place_id(seen.prompt, seen.sample),
        "prompt_id": seen.prompt,
        "sample": seen.sample,
        "image": seen.image,
        "sha256": sha256,
        "evidence": json_line(line_of(seen)).decode("utf-8", "surrogatepass"),
    }


def seen_in(row: Mapping[str, Any]) -> ImageEvidence:
    """The evidence that a row of a shard holds."""
    return full_line(parse_json(row["evidence"], "the evidence of a row", surrogates=True))


def samples_table(
    looked_rows: Sequence[Mapping[str, Any]],
    seen: Mapping[str, ImageEvidence],
    verdicts: Sequence[ProbeRow],
    scores: Sequence[tuple[str, ProbeScore]],
    prompts: Mapping[str, SuitePrompt],
) -> pa.Table:
    """samples.parquet; `seen` by image, `scores` with the names that they bear, `prompts` by id."""
    said = {row.image: row for row in verdicts}
    rows = [_row(row, seen.get(row["image"]), said.get(row["image"]), prompts[row["prompt_id"]]) for row in looked_rows]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    for name, score in scores:
        table = table.append_column(name, pa.array(_column(rows, score), pa.float64()))
    return table


def _row(
    row: Mapping[str, Any], seen: ImageEvidence | None, said: ProbeRow | None, prompt: SuitePrompt
) -> dict[str, Any]:
    made: dict[str, Any] = {key: row[key] for key in LOOKED.names if key != "evidence"}
    made |= {"prompt": prompt.prompt, "state": "failed", "task": prompt.metadata.get("tag")}
    if seen is not None and seen.size is not None:
        made |= {"height": seen.size[0], "width": seen.size[1]}
    if said is not None:
        details = json.dumps(dict(said.details), ensure_ascii=False, allow_nan=False)
        made |= {"task": said.task, "score": said.score, "state": said.state, "reason": said.reason}
        made |= {"kinds": " ".join(said.kinds), "details": details, "values": dict(said.values)}
    return made


def _column(rows: Sequence[Mapping[str, Any]], score: ProbeScore) -> list[float | None]:
    """What each image contributes to a score; None where it does not."""
    if score.name.endswith(f"/{PROMPTS}"):
        return _best(rows)
    if score.part:
        return [row.get("values", {}).get(score.part) if score.task in ("", row["task"]) else None for row in rows]
    return [row.get("score") if score.task in ("", row["task"]) else None for row in rows]


def _best(rows: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """The best score of each prompt, beside its first image that has one."""
    best: dict[str, float] = {}
    for row in rows:
        if row.get("score") is not None:
            best[row["prompt_id"]] = max(best.get(row["prompt_id"], 0.0), row["score"])
    return [best.pop(row["prompt_id"], None) if row.get("score") is not None else None for row in rows]
