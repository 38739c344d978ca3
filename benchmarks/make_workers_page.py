"""Write docs/workers.md from evalkit/generators/workers.toml and the programs; a test keeps the page equal to this.

python benchmarks/make_workers_page.py
"""

from __future__ import annotations

import ast
from pathlib import Path

from evalkit.generators.workers import Worker, known_workers

DOCS = Path(__file__).resolve().parents[1] / "docs"
START = """# Workers of other models

Models whose packages clash with evalkit's run in an environment of their own, by a program of `docs/workers`
([what a worker is](runners.md#any-other-model-a-worker)). Each holds what differs from model to model, `load` and `draw`,
with the settings of the official scripts; put [worker_loop.py](workers/worker_loop.py), which is the same for all, beside
it. `evalkit ls generators` lists them too.

**They were written from the official repositories' code and tested against stand-ins for it; none was run here with its
weights.** This page is made by `benchmarks/make_workers_page.py` from `evalkit/generators/workers.toml` and the programs.

`--guidance`, `--steps`, `--temperature`, `--top-k` and `--top-p` change the settings that are shown; a setting, negative
prompt, source image or mask that the program does not take fails with that reason. `trust_remote_code` runs code that a
model's authors can change; do it in a container.

| worker | draws an image of | side | settings | calls | licence |
|---|---|---|---|---|---|
"""


def settings(file: str) -> str:
    """What `draw` takes by default, and what is fixed."""
    tree = ast.parse((DOCS / "workers" / file).read_text(encoding="utf-8"))
    draw = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "draw")
    names = [each.arg for each in draw.args.args][-len(draw.args.defaults) :] if draw.args.defaults else []
    shown = [
        f"{name} {default.value:g}"
        for name, default in zip(names, draw.args.defaults, strict=True)
        if isinstance(default, ast.Constant) and isinstance(default.value, int | float)
    ]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    constants = {each.targets[0].id: each.value for each in assigned if isinstance(each.targets[0], ast.Name)}
    fixed = ast.literal_eval(constants["FIXED"]) if "FIXED" in constants else {}
    shown += [f"{name} {value:g} (fixed)" for name, value in fixed.items()]
    return ", ".join(shown).replace("_", "-") or "—"


def row(worker: Worker) -> str:
    """One line of the table."""
    cells = (worker.draws, worker.side, settings(worker.file), worker.calls, worker.licence)
    return f"| [{worker.title}](workers/{worker.file}) | {' | '.join(cells)} |"


def environment(name: str, worker: Worker) -> str:
    """How its environment is made, and how it is started."""
    needs = f" It needs {worker.needs}." if worker.needs else ""
    prompts = "classes:imagenet" if worker.draws == "class" else "PROMPTS.jsonl"
    typed = f'evalkit generate --model "command:ENV/bin/python {worker.start}" --prompts {prompts}'
    lines = "\n".join(f"$ {line}" for line in worker.install)
    return f"### {name}\n\n[{worker.title}]({worker.code}).{needs}\n\n```console\n{lines}\n$ {typed}\n```\n"


def page() -> str:
    """The whole page."""
    known = known_workers()
    rows = "\n".join(row(each) for each in sorted(known.values(), key=lambda each: each.title.lower()))
    parts = (environment(name, worker) for name, worker in known.items())
    how = "Clone next to where you type `evalkit generate`, or give whole paths.\n\n"
    return f"{START}{rows}\n\n## Environments\n\n{how}" + "\n".join(parts)


if __name__ == "__main__":
    (DOCS / "workers.md").write_text(page(), encoding="utf-8")
