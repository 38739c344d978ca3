"""What a board says, in sentences; and why numbers are not on one board."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.leaderboard.boards import Apart, Board
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.rank import Standing
from evalkit.pages.labels import metric_label
from evalkit.text import counted, listed, number_text, with_unit

FEW = 4  # names that a sentence lists


def title(board: Board) -> str:
    """The metric and the data of a board, and what tells it from another one of both."""
    return board.name or plain_title(board)


def rest_of_title(board: Board) -> str:
    """The title without the metric, with which it begins."""
    return title(board).removeprefix(metric_label(board.terms.metric))


def data_of(board: Board) -> str:
    """What the title says besides metric and protocol, where these have columns of their own."""
    rest = rest_of_title(board).removesuffix(f" ({board.terms.protocol})")
    return rest.removeprefix(" on ").removeprefix(", ")


def plain_title(board: Board) -> str:
    """The metric and the data of a board."""
    if board.parts:
        return f"{metric_label(board.terms.metric)}, mean of {len(board.parts)} data sets"
    return f"{metric_label(board.terms.metric)} on {board.terms.dataset}"


def rules(board: Board) -> str:
    """Protocol and count of a board, and whether its numbers are of shared samples only."""
    common = f" that all have of {counts_text(board.common)}" if board.common else ""
    return f"{board.terms.protocol or 'no protocol'}, n = {board.terms.n:,}{common}"


def counts_text(counts: Sequence[int]) -> str:
    """One count, or the least and the most.

    >>> counts_text((59, 60)), counts_text((60,))
    ('59 to 60', '60')
    """
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def verdict(board: Board, entrants: Sequence[Entrant]) -> str:
    """Who is first, or who cannot be told from the first."""
    standings = board.order.standings
    names = [entrants[each.figure.entrant].name for each in standings]
    leader = standings[0]
    value = with_unit(number_text(leader.figure.value), board.unit)
    if len(standings) == 1:
        return f"{names[0]} is alone here, with {value}."
    rivals = [name for name, each in zip(names, standings, strict=True) if each.best == 1]
    if not leader_known(leader):
        return f"{names[0]} has the {best_word(board)} value, {value}; no order is certain, since no interval can be stated."
    if len(rivals) > 1:
        behind = len(names) - len(rivals)
        rest = f"; {counted(behind, 'other')} {'is' if behind == 1 else 'are'} behind one of them" if behind else ""
        return (
            f"{listed(rivals)} cannot be separated at 95 % confidence (the {best_word(board)} value is {value}){rest}."
        )
    return f"{names[0]} is first at 95 % confidence, with {value}."


def brief(board: Board, entrants: Sequence[Entrant], most: int = FEW) -> str:
    """The verdict in a few words: who is first, or who may be."""
    standings = board.order.standings
    rivals = [entrants[each.figure.entrant].name for each in standings if each.best == 1]
    if len(standings) == 1:
        return f"{rivals[0]}, alone"
    if not leader_known(standings[0]):
        return "no order is certain"
    return f"{rivals[0]}, at 95 %" if len(rivals) == 1 else f"{listed(rivals, most)} are not separated"


def leader_known(leader: Standing) -> bool:
    """Whether anything could be said of the leader's error."""
    return leader.first == leader.first


def best_word(board: Board) -> str:
    """How the better end is called."""
    return "highest" if board.better == "higher" else "lowest"


def rank_text(standing: Standing) -> str:
    """The interval of ranks.

    >>> from types import SimpleNamespace
    >>> rank_text(SimpleNamespace(best=1, worst=3))
    '1–3'
    """
    return str(standing.best) if standing.best == standing.worst else f"{standing.best}–{standing.worst}"


def chance_text(chance: float) -> str:
    """A share of draws as a percentage, never rounded to certainty.

    >>> [chance_text(x) for x in (0.0, 0.004, 0.5, 0.996, 1.0, float("nan"))]
    ['<1 %', '<1 %', '50 %', '>99 %', '>99 %', '—']
    """
    if chance != chance:
        return "—"
    return "<1 %" if chance < 0.01 else ">99 %" if chance > 0.99 else f"{chance:.0%}".replace("%", " %")


def flip_text(standing: Standing) -> str:
    """How few samples or prompts carry the order with the next one."""
    flip = standing.flip
    if flip is None:
        return "—"
    return f"none of {flip.units:,}" if flip.count is None else f"{flip.count:,} of {flip.units:,}"


def flip_about(standing: Standing, unit: str) -> str:
    """The same in a sentence."""
    flip = standing.flip
    if flip is None:
        return "not the mean of samples that both have, or a tie"
    if flip.count is None:
        return f"the order with the next one holds whichever {unit}s are left out"
    return f"without the {flip.count:,} most helpful of {flip.units:,} {unit}s the next one is level or ahead"


def unit_word(board: Board) -> str:
    """What was drawn: samples, or prompts."""
    return "prompt" if "prompt" in board.order.pairing else "sample"


def why_apart(apart: Apart, entrants: Sequence[Entrant], *, names: int = FEW) -> str:
    """Which runs are not ranked together, and what differs."""
    first, second = (listed([entrants[i].name for i in each], names) for each in (apart.a, apart.b))
    what = "; ".join(f"{word} {x} and {y}" for word, x, y in apart.differs)
    labels = listed([metric_label(metric) for metric in apart.metrics], names)
    both = f"{first} and {second}" if len(apart.a) == len(apart.b) == 1 else f"{first}, and {second} besides,"
    common = f"; {apart.shared:,} samples are in both, so --common ranks them there" if apart.shared else ""
    return f"{both} are not ranked together in {labels}: they differ in {what}{common}"


def short_apart(apart: Sequence[Apart], entrants: Sequence[Entrant]) -> list[str]:
    """A sentence for each way in which runs differ, however many pairs of runs differ in it; the commonest first."""
    kinds: dict[tuple[str, ...], list[Apart]] = {}
    for each in apart:
        kinds.setdefault(tuple(word for word, _, _ in each.differs), []).append(each)
    said = []
    for words, group in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
        if len(group) == 1:
            said.append(why_apart(group[0], entrants))
            continue
        who = sorted({i for each in group for i in (*each.a, *each.b)})
        names = listed([entrants[i].name for i in who], FEW)
        metrics = dict.fromkeys(metric_label(metric) for each in group for metric in each.metrics)
        values = [f"{word} {listed(_values(word, group), FEW)}" for word in words]
        common = "; --common ranks those that share samples" if any(each.shared for each in group) else ""
        said.append(
            f"{names} are on different boards in {listed(list(metrics), FEW)}: they differ in "
            f"{'; '.join(values)}{common}"
        )
    return said


def _values(word: str, group: Sequence[Apart]) -> list[str]:
    """Everything that runs of the group have of what differs."""
    return list(dict.fromkeys(value for each in group for w, a, b in each.differs if w == word for value in (a, b)))
