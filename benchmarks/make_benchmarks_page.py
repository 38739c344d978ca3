"""Write docs/benchmarks.md from the declarations of judged suites; a test keeps the page equal to what this makes.

python benchmarks/make_benchmarks_page.py
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from evalkit.protocols.judged import Declaration, declared, load_declaration
from evalkit.protocols.judged.declaration import ScoreRule

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
TABLES = Path(__file__).with_name("tables")
TOKENS, ROOM = TABLES / "judge-tokens.csv", TABLES / "benchmark-room.csv"
FULL, OPEN = 0.85, 0.6  # shares of a scale from which a suite is called nearly full, and up to which it is called open
START = """# Benchmarks that a judge scores

Each of these suites is one TOML file in `evalkit/protocols/judged/`: where its data come from, how images are named, what
the judge is asked and in which order, how replies are read, formulas, aggregation, and what the official code does about
lost replies. This page is made from them by `benchmarks/make_benchmarks_page.py`.

```console
$ evalkit probes fetch wise                                       # data and judge texts, at the commit that the suite names
$ export EVALKIT_API_KEY=…
$ evalkit probe wise --images DIR --judge "http:https://api.openai.com/v1#gpt-4o-2024-05-13" --prices 5 15 --budget 20
$ evalkit probe wise --images DIR --judge transformers:Qwen/Qwen2.5-VL-7B-Instruct
$ evalkit probe wise --reask runs/probe-wise-1234567890 --judge … # lost replies only
$ evalkit probe imgedit --images EDITS --sources ORIGINALS --judge …
$ evalkit probes show gedit                                       # everything that a suite declares
```

Judge texts are read from the official files and never rewritten. Texts that are evalkit's own are said to be so below.

A benchmark of your own is such a file too. `benchmarks/probe_examples/riddles.toml` is one of forty lines:

```console
$ evalkit probe riddles.toml --data DIR --images DIR --judge …
```

The run keeps the file, so that it is verified and asked anew without it. Its digest is in the protocol: scores under
another text of the file are ranked apart.
"""
TRAPS = (
    (
        "a content filter turned people into a score of 0; the same images came to 7.50 instead of 6.97",
        "Step1X-Edit 143, 145",
        "refusals are a state of their own, counted by category",
    ),
    (
        "one judge's name gave other scores in April and in June",
        "Step1X-Edit 74",
        "the snapshot is recorded; packs of anchors show drift",
    ),
    (
        "file names did not match, and what was missing was left out",
        "GPT-Image-Edit 5, 7",
        "missing images are an error, or counted beside the score",
    ),
    (
        "the paper's judge was GPT-4.1, the script's GPT-4o",
        "ImgEdit 13, 34",
        "the judge is a part of the score's name",
    ),
    (
        "a plain mean stood for the weighted one",
        "Bagel 299, WISE 12",
        "the headline is computed from its categories",
    ),
    (
        "no script for the summary; wrong annotations",
        "Kris_Bench 1, 7, Bagel 280",
        "aggregation and the data's revision are declared",
    ),
    (
        "temperature 1 and a template by chance",
        "TIIF-Bench 12, 13",
        "the item chooses the template; replies are kept",
    ),
    (
        "seeds, rewritten prompts and a category score of one image in four",
        "ELLA 60, 67, Infinity 103, Lumina-mGPT-2.0 25",
        "scores of each image are kept; categories say what they count",
    ),
    (
        "a scorer was mended after publication",
        "RISEBench 3, 7, Kris_Bench 5",
        "the commit of the script is a part of the declaration",
    ),
    (
        "scripts that stop, and a wrong port of a benchmark",
        "UniGenBench 2, lmms-eval 1301",
        "outputs of the official code are tests",
    ),
    (
        "training and validation prompts were scored together",
        "T2I-CompBench 7",
        "the items are a part of what is compared",
    ),
)
SEEN = (
    (
        "GenEval and its kin",
        "GenEval is a reward in reinforcement learning (Flow-GRPO) and a filter of training data (SANA-1.5); a model "
        "tuned on BLIP3o-60k rose from .76 to .85 (Harmon)",
        "the GenEval 2 paper puts its error against people at up to 17.7 points on current models",
    ),
    (
        "T2I-CompBench",
        "its repository ships 700 training prompts a category beside the 300 that are judged",
        "both together move scores by about .03 (issue 7)",
    ),
    (
        "WISE",
        "its repository ships prompts that are rewritten with the answer in them",
        "say rewritten=NAME with --made",
    ),
    (
        "RISEBench, KRIS-Bench",
        "models were reported that rewrite the instruction before they edit (RISEBench 3, Kris_Bench 5)",
        "say rewritten=NAME or thinking with --made",
    ),
    (
        "HPSv2, PickScore, ImageReward",
        "networks that predict preferences, and can be trained against",
        "a model that was tuned by such a network has been tuned on its score",
    ),
    (
        "TIIF, DPG, GEdit, ImgEdit, WISE",
        "papers on rewards report them beside the reward (judged in 2025 and 2026)",
        "whether their prompts were among those of training is not said in the papers that were read",
    ),
)
READ = """## How to read a judged score

- **The judge belongs to the name.** `wise` is the score of the judge that the benchmark names; any other one's is called
  `wise@MODEL`. Replies of two snapshots are never averaged.
- **Lost replies are counted**, by how they were lost: refused, unparsed, failed, and images that are missing. The score
  follows the policy of the official code; `--policy NAME` takes another one, under another protocol. Beside it stand
  the bounds: every lost image or answer worst, every one best. A warning says where categories lose replies unequally.
- **Two parsers.** The headline reads replies as the official code does, with its faults. `NAME/evalkit-1` reads the same
  replies with a careful parser; where both differ, the page says by how many images.
- **Every reply is kept before it is read**, in one file for each judge. Nothing is asked twice: not by a killed run, not
  by the next one. Replies that hold no answer are asked again as often as officially. A budget stops the asking
  before it is exceeded, and the same command goes on with a larger one.
- **Rules follow evidence.** `evidence.jsonl` in the run holds the replies; `--evidence RUN --policy zero` needs no judge.

## Whether to trust a judge

```console
$ evalkit judge repeat RUN --judge …        # the same questions several times
$ evalkit judge controls RUN --judge …      # images of other prompts and blank images must score less
$ evalkit judge agree RUN people.csv        # share of equal scores and Cohen's kappa
$ evalkit judge anchors RUN --make pack.jsonl
$ evalkit judge anchors LATER --check pack.jsonl
```

## What these scores cannot say

- Judges drift, also under one name: make a pack of anchors and judge it before every campaign.
- A judge of the generator's own family favours it. Say so, or take another one.
- Many models were trained, tuned or chosen on these prompts; see [what models may have seen](#what-models-may-have-seen).
- Published numbers are often not alike: another judge, rewritten prompts, best of several images, another policy.

## Why published scores were not met

<traps>

Numbers are those of issues and pull requests in the repositories.

## How much room is left

The highest published value that was read, and the share of the scale above it. Values come from several judges, prompts
and policies, so the column says how full a scale is, and ranks nobody. Of the suites that are not listed none was read.

<room>

GenEval itself is full: the best model has 96.7 % of it by people's count (arXiv:2512.16853).

## What models may have seen

All prompts are public, and most are older than the models that are judged with them.

<seen>

## What judging a model costs

The table counts what is asked about all images of one model. The cost of its prompts is the last column times the price
of a million prompt tokens. `benchmarks/tables/judge_tokens.py` counts texts of the official files, and takes an image as
1,000 tokens. Replies come on top. The table gives their most, where the benchmark sends a limit; an answer of one word
takes a token or two of it. The 27,008 replies that TIIF-Bench ships take 85 tokens each, 16 a question. The pilot of a
campaign measures replies, and `--prices` and `--budget` hold them.
Suites whose data cannot be had without their authors' form, or whose questions need spaCy, are not counted.

## The suites
"""
MORE = """## A suite of your own

Write a TOML file like those in `evalkit/protocols/judged/`; `evalkit.protocols.judged.declaration` describes every field.
Formulas are arithmetic over the names of calls, their parts and the data's fields. They know `min`, `max`, `sum`,
`mean`, `gmean`, `product`, `sqrt`, `round`, `len`, `first`, `known`, `same`, `dot`, `dependent`, `cascade`, `balance`,
`percents`, `repeated`, `psnr`, `recalled`, `reread` and `words`. `measures` names networks that measure each image, and
`boxes` a rule for what a detector finds.
"""


def page() -> str:
    """The whole page."""
    found = [load_declaration(name) for name in declared()]
    parts = [
        START,
        READ.replace("<traps>", _traps()).replace("<room>", _room()).replace("<seen>", _seen()),
        "| suite | what it measures | images | judge | lost replies | licence | questions | prompt tokens | reply tokens |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with TOKENS.open(encoding="utf-8", newline="") as file:
        counts = {row["suite"]: row for row in csv.DictReader(file)}
    parts += [_row(each, counts.get(each.name)) for each in found]
    parts += ["", *(_section(each) for each in found), MORE]
    return "\n".join(parts)


def _traps() -> str:
    lines = ["| what was seen | where | what evalkit does |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(each)} |" for each in TRAPS)])


def _room() -> str:
    """How near the scale's end the highest published value of each suite is."""
    lines = ["| suite | highest | scale | model | room | source |", "|---|---|---|---|---|---|"]
    with ROOM.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            value, low, high = (float(row[name]) for name in ("value", "from", "of"))
            share = (value - low) / (high - low)
            word = "nearly full" if share >= FULL else "open" if share <= OPEN else "some"
            told = (
                f"[`{row['suite']}`](#{row['suite']}) | {row['value']} | {row['from']} to {row['of']} | {row['model']}"
            )
            lines.append(f"| {told} | {1 - share:.0%}, {word} | {row['source']} |")
    return "\n".join(lines)


def _seen() -> str:
    lines = ["| suites | what is known | what follows |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(each)} |" for each in SEEN)])


def _row(said: Declaration, counts: Mapping[str, str] | None) -> str:
    each = said.images.samples * said.images.grid**2
    images = f"{said.items.count:,} x {each}" if said.items.count else f"as in its data x {each}"
    told = f"[`{said.name}`](#{said.name}) | {said.title} | {images} | {said.judge} | {said.policy} | {said.licence}"
    return f"| {told} | {_cost(said, counts)} |"


def _cost(said: Declaration, counts: Mapping[str, str] | None) -> str:
    """How much is asked about one model."""
    if not said.calls:
        return "none | none | none"
    limits = [int(call.parameters.get("max_tokens") or 0) for call in said.calls]
    if counts is None:
        most = f"at most {max(limits):,} each" if all(limits) else "no limit is sent"
        return f"not counted | not counted | {most}"
    questions = int(counts["questions"])
    most = f"at most {questions * max(limits) / 1e3:,.0f} thousand" if all(limits) else "no limit is sent"
    return f"{questions:,} | {int(counts['prompt_tokens']) / 1e6:.1f} million | {most}"


def _section(said: Declaration) -> str:
    where = f"{said.source.repository} at {said.source.commit[:10]}"
    own = any(text.own for call in said.calls for text in call.text)
    lines = [
        f"### {said.name}\n",
        f"{said.title[0].upper()}{said.title[1:]}. {_link(said.paper)}; {where}. {_asked(said)}",
        f"Headline: `{said.scores[0].formula}`, {_aggregate(said)}."
        + (" The question is worded here." if own else " The questions are the official ones." if said.calls else ""),
    ]
    if len(said.scores) > 1:
        lines.append("Also: " + ", ".join(_also(said, each) for each in said.scores[1:]) + ".")
    lines += [f"\n{note}" for note in said.notes]
    lines += [f"\n- *{quirk.name}*: {quirk.text}" for quirk in said.quirks]
    if said.anchors:
        told = "; ".join(f"{each.model} {each.score:g} ({each.source})" for each in said.anchors)
        lines.append(f"\nPublished: {told}.")
    return "\n".join(lines) + "\n"


def _also(said: Declaration, rule: ScoreRule) -> str:
    over = {"items": " (the mean over images)", "categories": " (the mean of the categories' means)"}
    return f"`{said.name}/{rule.name}`{over.get(rule.over, '')}"


def _asked(said: Declaration) -> str:
    if not said.calls:
        return "Nobody is asked."
    if said.tries == 1:
        return "Every question is asked once."
    return f"An unreadable reply is asked for up to {said.tries} times."


def _aggregate(said: Declaration) -> str:
    kinds = {
        "items": "the mean over images",
        "categories": "the mean of the categories' means",
        "weighted": "categories by weights",
        "groups": "the mean of groups of categories",
        "pooled": f"`{said.aggregate.formula}` over the means of the further scores",
    }
    each = ", of which an image counts in several" if said.aggregate.each else ""
    weight = f", in which an image weighs `{said.scores[0].weight}`" if said.scores[0].weight else ""
    digits = f"; means of categories have {said.aggregate.digits} decimals" if said.aggregate.digits else ""
    return kinds[said.aggregate.kind] + each + weight + digits


def _link(paper: str) -> str:
    return f"[{paper}](https://arxiv.org/abs/{paper.removeprefix('arXiv:')})" if paper.startswith("arXiv:") else paper


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
