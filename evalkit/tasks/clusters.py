"""The units of intervals: whole prompts, where images share some."""

from __future__ import annotations

import pyarrow as pa


def prompts_of(rows: pa.Table) -> list[str] | None:
    """The prompt of each row, by `prompt_id`; None where a row has none, or no two rows share one."""
    found = rows["prompt_id"].to_pylist()
    if None in found or len(set(found)) == len(found):
        return None
    return [str(each) for each in found]
