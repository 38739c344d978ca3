"""Write docs/zoo.md from the model cards and the weights manifest; a test keeps the page equal to what this makes.

python benchmarks/make_zoo_page.py
"""

from __future__ import annotations

from pathlib import Path

from evalkit.tokenizers.cards import ModelCard, list_models
from evalkit.weights.find import WeightFile, weights_manifest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "zoo.md"
START = """# The zoo

Every tokenizer that evalkit knows: what it is, where its weights lie, and how to run it. This page is made from the model
cards and the weights manifest by `benchmarks/make_zoo_page.py`.

Files on the hub are fetched when they are needed, or before, with `evalkit weights fetch NAME`. Files on drives have to be
fetched in a browser; pass them with `--weights FILE`, or put them into a folder and name it in `EVALKIT_WEIGHTS`.
Published numbers were read in the source named beside them; `second-hand` marks those that somebody other than the authors
reports. Whether they can be compared with yours is what `evalkit tokenizer --model NAME --compare-published` says.
"""


def page() -> str:
    """The whole page."""
    cards = list_models("tokenizer")
    families: dict[str, list[ModelCard]] = {}
    for card in cards:
        families.setdefault(card.family, []).append(card)
    parts = [START]
    for family in sorted(families, key=str.lower):
        parts.append(f"## {family}\n")
        parts += [entry(card) for card in families[family]]
    return "\n".join(parts)


def entry(card: ModelCard) -> str:
    """One model."""
    names = ", ".join(f"`{name}`" for name in (card.name, *card.aliases))
    links = " · ".join(text for text in (_paper(card.paper), _link(card.code)) if text)
    lines = [f"### {card.name}\n", f"{card.title}.{' ' + links if links else ''}\n", f"- names: {names}"]
    codes = "encode only" if card.encode_only else str(card.tokens) if card.tokens else "as many as the image needs"
    facts = [f"side {card.native_size} px", f"codes {codes}", f"range {card.value_range}"]
    facts += [f"codebook {card.codebook}"] if card.codebook else []
    facts += [f"{card.parameters_m:g} M parameters"] if card.parameters_m else []
    facts += ["stochastic decoder"] if card.stochastic else []
    lines.append(f"- {', '.join(facts)}")
    if not card.encode_only:
        tiles = (
            f"in tiles of {card.native_size} px"
            if not card.any_size
            else "whole, mirrored up to multiples of its stride"
        )
        lines.append(f"- `--native-resolution`: images are seen {tiles}")
    if card.licence:
        lines.append(f"- licence: {card.licence}")
    if card.weights and (file := weights_manifest().get(card.weights)):
        lines += weights(card, file)
    elif not card.encode_only:
        lines.append(f"- run: `evalkit tokenizer --model {card.name}` (nothing to download)")
    if card.note:
        lines.append(f"- {card.note}")
    for number in card.published:
        lines.append(
            f"- published: {number.metric} {number.value:g}, {number.setting} ({number.source}; {number.certainty})"
        )
    return "\n".join(lines) + "\n"


def weights(card: ModelCard, file: WeightFile) -> list[str]:
    """Where the file lies, how it is got, how the model is run."""
    kind = file.source.partition(":")[0]
    names = ", ".join(f"`{name}`" for name in file.files)
    lines = [f"- weights: {names} from {_where(file)}{' (accept its licence there first)' if file.gated else ''}"]
    if file.note:
        lines.append(f"- weights, note: {file.note}")
    if kind == "package":
        return [*lines, f"- run: `evalkit tokenizer --model {card.name}` (shipped, nothing to download)"]
    place = "FOLDER" if len(file.files) > 1 else Path(file.files[0]).name
    if kind == "hf" and not card.encode_only:
        lines.append(
            f"- get: `evalkit weights fetch {card.name}`; run: `evalkit tokenizer --model {card.name} --data PHOTOS`"
        )
    elif not card.encode_only:
        lines.append(f"- run: `evalkit tokenizer --model {card.name} --weights {place} --data PHOTOS`")
    return lines


def _where(file: WeightFile) -> str:
    kind, _, rest = file.source.partition(":")
    if kind == "hf":
        owner, repo, *_ = rest.split("/", 2)
        return f"[{rest}](https://huggingface.co/{owner}/{repo})"
    return file.where


def _paper(paper: str) -> str:
    number = paper.removeprefix("arXiv:")
    return f"[{paper}](https://arxiv.org/abs/{number})" if paper.startswith("arXiv:") else paper


def _link(code: str) -> str:
    return f"[code]({code})" if code.startswith("http") else code


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
