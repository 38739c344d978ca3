"""Prompts that another model or a person wrote again, beside the ones that they stand for.

A benchmark's score under rewritten prompts is another number than under its own, so that both are kept and counted.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.prompts.files import read_prompt_file
from evalkit.prompts.prompt import PromptSet

ORIGINAL = "original_prompt"


def with_rewritten(asked: PromptSet, path: str | Path) -> PromptSet:
    """`asked` with the prompts of the file `path`, found by their ids; each keeps its own text as `original_prompt`.

    Raises `EvalkitError` where a prompt has no line in the file, or the file a line that none of them has.
    """
    found = {each.id: each.prompt for each in read_prompt_file(Path(path).expanduser())}
    missing = [each.id for each in asked.prompts if found.get(each.id) is None]
    foreign = sorted(set(found) - {each.id for each in asked.prompts})
    if missing or foreign:
        said = f"lacks {len(missing)} prompts, such as {missing[0]!r}" if missing else f"holds {foreign[0]!r} besides"
        raise EvalkitError(f"{Path(path).name} {said}. Give a line with id and prompt for each prompt of {asked.name}")
    prompts = (replace(p, prompt=found[p.id], meta={**p.meta, ORIGINAL: p.prompt}) for p in asked.prompts)
    return replace(asked, prompts=tuple(prompts))


def rewritten_count(asked: PromptSet) -> int:
    """How many prompts stand beside an original one, by `--rewrite` or in their own file."""
    return sum(ORIGINAL in each.meta for each in asked.prompts)
