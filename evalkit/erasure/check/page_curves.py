"""Curves of learning a concept again, as inline SVG: one line for each model, with the half of the base's rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from evalkit.erasure.check.relearn import steps_to
from evalkit.pages.figures import PAD, WIDTH, svg, tick_text, ticks, written
from evalkit.text import number_text

HEIGHT, BOTTOM, LEFT = 170, 28, 46
NAMES = {"erased": "erased model", "never_saw": "model that never saw it"}
Curve = Sequence[Sequence[float]]


def curves(told: Mapping[str, Curve], half: float) -> str:
    """Share of the tests that show the concept over steps; `told`: [step, share] by model, `half`: where steps are read."""
    most = max((point[0] for curve in told.values() for point in curve), default=0.0) or 1.0

    def at(step: float, share: float) -> tuple[float, float]:
        x = LEFT + step / most * (WIDTH - PAD - LEFT)
        return round(x, 1), round(8 + (1 - share) * (HEIGHT - BOTTOM - 8), 1)

    parts = [_rule("grid", at(0, share), at(most, share)) for share in (0.0, 0.5, 1.0)]
    parts += [
        f'<text x="{LEFT - 6}" y="{at(0, s)[1] + 4}" text-anchor="end">{100 * s:.0f} %</text>' for s in (0, 0.5, 1)
    ]
    parts += [
        f'<text x="{at(s, 0)[0]}" y="{HEIGHT - 8}" text-anchor="middle">{tick_text(s)}</text>'
        for s in ticks(0, most, 4)
    ]
    parts.append(_rule("median", at(0, half), at(most, half)))
    said = []
    for name, curve in told.items():
        points = " ".join("{},{}".format(*at(step, share)) for step, share in curve)
        words = f"{NAMES.get(name, name)}: " + ", ".join(
            f"{step:.0f} steps {100 * share:.0f} %" for step, share in curve
        )
        said.append(words)
        parts.append(f'<polyline class="{name}" points="{points}"><title>{written(words)}</title></polyline>')
        x, y = at(*curve[-1])
        parts.append(f'<text class="name" x="{min(x, WIDTH - PAD)}" y="{y + 14}" text-anchor="end">')
        parts.append(f"{written(NAMES.get(name, name))}</text>")
    return svg(f"Learning it again. {'; '.join(said)}", parts, WIDTH, HEIGHT)


def relearnt(told: Mapping[str, Curve], half: float, savings: float | None) -> str:
    """What the curves come to, in words."""
    steps = {name: steps_to(np.array(curve), half) for name, curve in told.items()}
    read = [
        f"{NAMES.get(name, name)} {f'{step:.0f}' if math.isfinite(step) else f'not within {told[name][-1][0]:.0f}'}"
        for name, step in steps.items()
    ]
    text = "Steps of training on images of the concept, and the share of test prompts that show it. "
    text += f"Steps to half of the base's rate, the line at {100 * half:.0f} %: {', '.join(read)}."
    if savings is not None:
        return f"{text} Savings {number_text(savings)}."
    return text if "never_saw" in told else f"{text} No model that never saw the concept was given to compare with."


def _rule(kind: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    return f'<line class="{kind}" x1="{start[0]}" x2="{end[0]}" y1="{start[1]}" y2="{end[1]}"/>'
