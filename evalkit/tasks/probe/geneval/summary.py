"""GenEval's scores: six tasks, their unweighted mean, and the official summary text."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.errors import EvalkitError
from evalkit.stats.combined import weighted_sum
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore, mean_estimate, task_estimates


def summarise(rows: Sequence[ProbeRow], name: str = "geneval") -> tuple[ProbeScore, ...]:
    """The overall score (the mean of the tasks that are there), each task, shares of images and of prompts.

    A prompt counts as right where any of its images is. Intervals draw whole prompts; that of the overall score
    combines those of the tasks. Source: djghosh13/geneval, evaluation/summary_scores.py.
    """
    if not rows:
        raise EvalkitError("there is no image to summarise. Give at least one")
    tasks = task_estimates(rows)
    scores = [ProbeScore(name, "", weighted_sum(list(tasks.values())))]
    scores += [ProbeScore(f"{name}/{task}", task, estimate) for task, estimate in tasks.items()]
    best = list(_any_right(rows).values())
    return (
        *scores,
        ProbeScore(f"{name}/images", "", mean_estimate(rows)),
        ProbeScore(f"{name}/prompts", "", mean_interval(best)),
    )


def official_text(rows: Sequence[ProbeRow]) -> str:
    """What the official script prints of these rows, letter by letter."""
    if not rows:
        raise EvalkitError("there is no image to summarise. Give at least one")
    right = [float(row.score or 0) for row in rows]
    prompts = list(_any_right(rows).values())
    tasks: dict[str, list[float]] = {}
    for row, score in zip(rows, right, strict=True):
        tasks.setdefault(row.task, []).append(score)
    means = {task: sum(scores) / len(scores) for task, scores in tasks.items()}
    lines = [
        *("Summary", "======="),
        f"Total images: {len(rows)}",
        f"Total prompts: {len(prompts)}",
        f"% correct images: {sum(right) / len(right):.2%}",
        f"% correct prompts: {sum(prompts) / len(prompts):.2%}",
        *("", "Task breakdown", "=============="),
        *(f"{t:<16} = {means[t]:.2%} ({sum(tasks[t]):.0f} / {len(tasks[t])})" for t in tasks),
        *("", f"Overall score (avg. over tasks): {sum(means.values()) / len(means):.5f}"),
    ]
    return "\n".join(lines) + "\n"


def _any_right(rows: Sequence[ProbeRow]) -> dict[str, float]:
    """1 for each prompt that has a right image, else 0."""
    found: dict[str, float] = {}
    for row in rows:
        found[row.prompt] = max(found.get(row.prompt, 0.0), float(row.score or 0))
    return found
