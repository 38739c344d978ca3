"""`probe_rounds`: drift over rounds of editing; resumable, a sealed run."""

from __future__ import annotations

import hashlib
from pathlib import Path

from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions, check_apart
from evalkit.jobs.spec import DataRef, ModelRef, ProtocolRef, Spec
from evalkit.jsonio import canonical_json
from evalkit.metrics.drift import MEASURES
from evalkit.runs.store import Run
from evalkit.tasks.probe.rounds.chains import all_files, asked_files, digest_of, list_chains
from evalkit.tasks.probe.rounds.drift import EXACT
from evalkit.tasks.probe.rounds.task import ROUNDS

VERSION, SHARD = 1, 4
RULES = {"name": "rounds-1", "measures": list(MEASURES), "exact": EXACT, "version": 1}


def probe_rounds(folder: str | Path, *, options: RunOptions | None = None) -> Run:
    """How far images drift over rounds of editing; `folder` holds NAME/0.png, 1.png, … and mask-2.png, … of each chain.

    The same call resumes; `options.limit`: only the first chains. Editors that were given the same first images and
    masks are compared in pairs. Raises `EvalkitError` for a folder without chains, or of chains that differ in length.

    >>> import tempfile
    >>> from PIL import Image
    >>> home = Path(tempfile.mkdtemp())
    >>> for number in range(3):
    ...     (home / "chains" / "one").mkdir(parents=True, exist_ok=True)
    ...     Image.new("RGB", (32, 32), (100 + 5 * number, 90, 80)).save(home / "chains" / "one" / f"{number}.png")
    >>> run = probe_rounds(home / "chains", options=RunOptions(out=home / "run"))
    >>> [row["value"] for row in run.results if row["metric"] == "drift_warmth"]
    [5.0]
    """
    options, path = options or RunOptions(), Path(folder).expanduser()
    chains = list_chains(path, options.limit)
    if options.out is not None:
        check_apart(path, options.out)
    name, source = path.resolve().name, str(path)
    spec = Spec(
        ROUNDS.name,
        VERSION,
        {"model": ModelRef(name)},
        {
            "data": DataRef(name, len(chains), digest_of(all_files(chains)), source=source),
            "reference": DataRef(name, len(chains), digest_of(asked_files(chains)), source=source),
        },
        (ProtocolRef(str(RULES["name"]), hashlib.sha256(canonical_json(RULES)).hexdigest()),),
        parameters={"rounds": len(chains[0].images) - 1, "shown": 0 if options.keep == "none" else 8},
        seed=options.seed,
        shard=SHARD,
    )
    return run_as_wished(ROUNDS, spec, options.out or run_folder(spec, name), options)
