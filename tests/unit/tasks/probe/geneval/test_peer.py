"""GenEval's rules written down a second time from the specification, in plain loops, against the package on random cases."""

import math
import random

import pytest

from evalkit.encoders.detectors.detection import Detection
from evalkit.metrics.boxes import relations
from evalkit.tasks.probe.geneval.keep import keep
from evalkit.tasks.probe.geneval.options import RuleOptions
from evalkit.tasks.probe.geneval.prompts import COLORS, geneval_prompts
from evalkit.tasks.probe.geneval.summary import summarise
from evalkit.tasks.probe.geneval.verdict import verdict
from evalkit.tasks.probe.rows import ProbeRow

SEEDS = range(600)
WORDS = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}


def relations_again(a, b, share=0.1):
    """Where box `a` stands to box `b`: offsets of centres, shrunk by a share of both sizes, over the plain distance."""
    offset = [(a[i] + a[i + 2]) / 2 - (b[i] + b[i + 2]) / 2 for i in (0, 1)]
    sizes = [a[i + 2] - a[i] + b[i + 2] - b[i] for i in (0, 1)]
    shrunk = [math.copysign(max(abs(o) - share * s, 0), o) for o, s in zip(offset, sizes, strict=True)]
    if all(abs(each) < 1e-3 for each in shrunk):
        return set()
    length = math.hypot(*offset)
    return {word for word, (axis, sign) in WORDS.items() if sign * shrunk[axis] / length > 0.5}


def kept_again(found, tag):
    """Boxes of a class above the threshold of the task, the surest first (of equals the later one), at most sixteen."""
    least = 0.9 if tag == "counting" else 0.3
    chosen = {}
    for name in {each.label for each in found}:
        rows = [(each.score, place, each) for place, each in enumerate(found) if each.label == name]
        rows = sorted((row for row in rows if row[0] > least), key=lambda row: row[:2], reverse=True)
        chosen[name] = [each for *_, each in rows[:16]]
    return chosen


def right_again(prompt, found):
    """Whether an image is right: clause after clause, the first `count` boxes of each class alone."""
    kept = kept_again(found, prompt.tag)
    groups, right = [], True
    for clause in prompt.include:
        mine = kept.get(clause.name, [])[: clause.count]
        good = len(mine) >= clause.count
        if good and clause.color is not None:
            good = sum(each.color == clause.color for each in mine) >= clause.count
        if good and clause.relation is not None:
            target = groups[clause.target]
            good = target is not None and all(
                clause.relation in relations_again(a.box, b.box) for a in mine for b in target
            )
        groups.append(mine if good else None)
        right = right and good
    for clause in prompt.exclude:
        right = right and len(kept.get(clause.name, [])) < clause.count
    return right


def case(seed):
    """A prompt, and boxes that often show what it asks for: scores lie near the thresholds, boxes near the diagonals."""
    rng = random.Random(9_000_000 + seed)
    prompt = rng.choice(geneval_prompts())
    names = [clause.name for clause in prompt.include for _ in range(clause.count)]
    names += rng.choices([*names, "person", "bench"], k=rng.randrange(4))
    found = []
    for name in names:
        if rng.random() < 0.08:
            continue
        x, y = (rng.randrange(0, 400, 10) for _ in range(2))
        box = (x, y, x + rng.randrange(10, 120, 10), y + rng.randrange(10, 120, 10))
        score = rng.choice((0.3, 0.31, 0.5, 0.9, 0.91, 0.95, 0.99, 0.99))
        wanted = [clause.color for clause in prompt.include if clause.name == name and clause.color]
        color = rng.choice([*wanted * 8, *COLORS])
        found.append(Detection(name, tuple(map(float, box)), score, None, color))
    return prompt, found


@pytest.mark.parametrize("part", range(6))
def test_verdicts_of_unseen_cases_are_those_of_a_second_writing(part):
    seen = []
    for seed in SEEDS[part::6]:
        prompt, found = case(seed)
        said = verdict(prompt, keep(found, prompt.tag, RuleOptions()), RuleOptions())
        assert said.correct == right_again(prompt, found), (seed, prompt.prompt, said.reason)
        seen.append(said.correct)
    assert 0.1 < sum(seen) / len(seen) < 0.9


def test_relations_of_unseen_boxes_are_those_of_a_second_writing():
    rng = random.Random(7)
    for _ in range(3000):
        a, b = ([float(rng.randrange(0, 60, 5)) for _ in range(4)] for _ in range(2))
        a, b = ([*box[:2], box[0] + box[2] + 5, box[1] + box[3] + 5] for box in (a, b))
        assert set(relations(a, b)) == relations_again(a, b), (a, b)


def test_scores_of_unseen_verdicts_are_means_of_task_means():
    rng = random.Random(11)
    rows = [
        ProbeRow(f"{prompt.id}/{sample}", prompt.id, sample, prompt.tag, float(rng.random() < 0.6))
        for prompt in geneval_prompts()
        for sample in range(4)
        if rng.random() < 0.9
    ]
    tasks = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row.score)
    means = {task: sum(scores) / len(scores) for task, scores in tasks.items()}
    found = {score.name: score.estimate.value for score in summarise(rows, "geneval")}
    assert found["geneval"] == pytest.approx(sum(means.values()) / len(means), rel=1e-12)
    assert {name: found[f"geneval/{name}"] for name in means} == pytest.approx(means, rel=1e-12)
