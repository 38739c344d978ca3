"""Write docs/benchmarks.md from the declarations of judged suites; a test keeps the page equal to what this makes.

python benchmarks/make_benchmarks_page.py
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from evalkit.protocols.judged import Declaration, declared, load_declaration

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
TOKENS = Path(__file__).with_name("tables") / "judge-tokens.csv"
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
READ = """## How to read a judged score

- **The judge belongs to the name.** `wise` is the score of the judge that the benchmark names; any other one's is called
  `wise@MODEL`. Replies of two snapshots are never averaged.
- **Lost replies are counted**, by how they were lost: refused, unparsed, failed, and images that are missing. The score
  follows the policy of the official code; `--policy NAME` takes another one, under another protocol. Beside it stand
  the bounds: every lost image worst, every one best. A warning says where categories lose replies unequally.
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
- Many models were trained, tuned or chosen on these prompts; the best are near the ceiling of several suites.
- Published numbers are often not alike: another judge, rewritten prompts, best of several images, another policy.

## Why published scores were not met

<traps>

Numbers are those of issues and pull requests in the repositories.

## What judging a model costs

The table counts what is asked about all images of one model. The cost of its prompts is the last column times the price
of a million prompt tokens. `benchmarks/tables/judge_tokens.py` counts texts of the official files, and takes an image as
1,000 tokens. Replies come on top: the pilot of a campaign measures them, and `--prices` and `--budget` hold them.
Suites whose data cannot be had without their authors' form, or whose questions need spaCy, are not counted.

## The suites
"""
MORE = """## A suite of your own

Write a TOML file like those in `evalkit/protocols/judged/`; `evalkit.protocols.judged.declaration` describes every field.
Formulas are arithmetic over the names of calls, their parts and the data's fields; they know `min`, `max`, `sum`,
`mean`, `gmean`, `product`, `sqrt`, `round`, `len`, `first`, `known`, `same`, `dot`, `dependent`, `cascade`, `balance`,
`percents`, `repeated`, `psnr`, `recalled`, `reread` and `words`.
"""


def page() -> str:
    """The whole page."""
    found = [load_declaration(name) for name in declared()]
    parts = [
        START,
        READ.replace("<traps>", _traps()),
        "| suite | what it measures | images | judge | lost replies | licence | questions | prompt tokens |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with TOKENS.open(encoding="utf-8", newline="") as file:
        counts = {row["suite"]: row for row in csv.DictReader(file)}
    parts += [_row(each, counts.get(each.name)) for each in found]
    parts += ["", *(_section(each) for each in found), MORE]
    return "\n".join(parts)


def _traps() -> str:
    lines = ["| what was seen | where | what evalkit does |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(each)} |" for each in TRAPS)])


def _row(said: Declaration, counts: Mapping[str, str] | None) -> str:
    each = said.images.samples * said.images.grid**2
    images = f"{said.items.count:,} x {each}" if said.items.count else f"as in its data x {each}"
    told = f"[`{said.name}`](#{said.name}) | {said.title} | {images} | {said.judge} | {said.policy} | {said.licence}"
    return f"| {told} | {_cost(said, counts)} |"


def _cost(said: Declaration, counts: Mapping[str, str] | None) -> str:
    """How much is asked about one model."""
    if not said.calls:
        return "none | none"
    if counts is None:
        return "not counted | not counted"
    return f"{int(counts['questions']):,} | {int(counts['prompt_tokens']) / 1e6:.1f} million"


def _section(said: Declaration) -> str:
    where = f"{said.source.repository} at {said.source.commit[:10]}"
    own = any(text.own for call in said.calls for text in call.text)
    lines = [
        f"### {said.name}\n",
        f"{said.title[0].upper()}{said.title[1:]}. {_link(said.paper)}; {where}. {_asked(said.tries)}",
        f"Headline: `{said.scores[0].formula}`, {_aggregate(said)}."
        + (" The question is worded here." if own else " The questions are the official ones."),
    ]
    if len(said.scores) > 1:
        lines.append("Also: " + ", ".join(f"`{said.name}/{each.name}`" for each in said.scores[1:]) + ".")
    lines += [f"\n{note}" for note in said.notes]
    lines += [f"\n- *{quirk.name}*: {quirk.text}" for quirk in said.quirks]
    if said.anchors:
        told = "; ".join(f"{each.model} {each.score:g} ({each.source})" for each in said.anchors)
        lines.append(f"\nPublished: {told}.")
    return "\n".join(lines) + "\n"


def _asked(tries: int) -> str:
    return "Every question is asked once." if tries == 1 else f"An unreadable reply is asked for up to {tries} times."


def _aggregate(said: Declaration) -> str:
    kinds = {
        "items": "the mean over images",
        "categories": "the mean of the categories' means",
        "weighted": "categories by weights",
        "groups": "the mean of groups of categories",
        "pooled": f"`{said.aggregate.formula}` over the means of the further scores",
    }
    each = ", of which an image counts in several" if said.aggregate.each else ""
    return kinds[said.aggregate.kind] + each


def _link(paper: str) -> str:
    return f"[{paper}](https://arxiv.org/abs/{paper.removeprefix('arXiv:')})" if paper.startswith("arXiv:") else paper


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
