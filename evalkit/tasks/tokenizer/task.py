"""The task `tokenizer`: how much of each image of a set a tokenizer loses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from evalkit.arrow import equal
from evalkit.encoders.evidence import EvidenceCache
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet, content_digest
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of
from evalkit.jobs.live import find
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.pages import report_page
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Run
from evalkit.tasks.tokenizer.checks import ReconstructionChecks
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.keep import index_of_all, worst
from evalkit.tasks.tokenizer.recompute import kept_arrays, shown_extractors
from evalkit.tasks.tokenizer.results import results_of
from evalkit.tasks.tokenizer.rows import schema
from evalkit.tasks.tokenizer.spec import NAME, feeds_of, protocols_of, settings_of, upgraded
from evalkit.tasks.tokenizer.worker import ReconstructionWorker
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer


class TokenizerTask(Task):
    """One tokenizer on one image set under one or more protocols."""

    name = NAME

    def size(self, spec: Spec) -> int:
        """Images of the set."""
        return spec.inputs["data"].n

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image and protocol."""
        return schema()

    def open(self, spec: Spec, device: str) -> ReconstructionWorker:
        """The tokenizer, and networks as images need them; raises where weights or rules are others here."""
        model = opened(spec, device)
        return ReconstructionWorker(
            _images(spec),
            model,
            feeds_of(spec, model),
            evaluators_of(spec, device),
            batch_size=int(spec.parameters["batch_size"]),
            threads=int(spec.here.get("threads", 1)),
            seed=spec.seed,
            keep_all=spec.parameters["keep"] == "all",
        )

    def sources(self, spec: Spec) -> Sources | None:
        """The images."""
        return sources_of(("data", _images(spec), self.size(spec)))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Results with intervals; statistics that recompute them; what the record says of model, data and evaluators."""
        samples = pa.concat_tables(parts.tables()) if self.size(spec) else schema().empty_table()
        found: Mapping[str, Any] = next(iter(parts.facts()), {})
        evaluators = _evaluators(parts.facts())
        results, files = results_of(samples, parts, settings_of(spec, evaluators["unavailable"]))
        if spec.parameters["keep"] == "all":
            files |= index_of_all(samples)
        said = {
            "model": found.get("model", {}),
            "data": _data(spec, samples),
            "protocols": [{**ref.settings, "sha256": ref.sha256} for ref in spec.protocols],
            "judges": evaluators,
        }
        return Aggregated([samples], results, files, said)

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """The images that were hit hardest, made again, so that nothing is stored meanwhile."""
        if spec.parameters["keep"] != "worst" or not spec.protocols:
            return ()
        entries = worst(samples, spec.protocols[0].id)
        return [Shard("worst", 0, len(entries), {"entries": entries})]

    def page(self, run: Run) -> str:
        """The report of one run."""
        return report_page([run])

    def checks(self) -> Checks:
        """Results from rows and statistics; kept pairs scored again; samples made again."""
        return ReconstructionChecks(self, evaluators_of)

    def parts(self, run: Run) -> Parts:
        """Rows and statistics as one shard; moments stand for features that were not kept."""
        return MemoryParts(run.samples, kept_arrays(run), run.record)

    def upgrade(self, run: Run) -> Spec:
        """Plans that were written before format 2."""
        return upgraded(run.record, shown_extractors(run))


def opened(spec: Spec, device: str) -> Tokenizer:
    """The spec's tokenizer, loaded and compiled as it says."""
    ref = spec.models["model"]
    model = load_tokenizer(ref.name, ref.weights, device, ref.dtype)
    if model.weights_sha256 != ref.sha256:
        raise EvalkitError(
            f"the weights here are not those of the run (sha256 {str(ref.sha256)[:12]}…). Give theirs as --weights"
        )
    if ref.settings.get("compile"):
        from evalkit.tokenizers.network import NetworkTokenizer  # imports torch, which codecs do without

        if isinstance(model, NetworkTokenizer):
            model.compile()
    return model


def evaluators_of(spec: Spec, device: str) -> Evaluators:
    """The evaluator networks of a spec, as images need them; those of this process where they are at hand."""
    made: Evaluators | None = find(spec.here.get("evaluators"))
    if made is None:
        tasks, asked = frozenset(spec.parameters["tasks"]), spec.parameters
        made = Evaluators(protocols_of(spec), tasks, device, asked["features"], asked["ocr"], EvidenceCache.shared())
    return made.load()


def _evaluators(facts: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Weights that no shard missed, and why others are missing; a network is loaded by the first shard that needs it."""
    weights: dict[str, Any] | None = None
    unavailable: dict[str, Any] = {}
    for found in (each["judges"] for each in facts if "judges" in each):
        here = found["weights"] if weights is None else weights
        weights = {name: digest for name, digest in here.items() if name in found["weights"]}
        unavailable |= found["unavailable"]
    return {"weights": weights or {}, "unavailable": unavailable}


def _images(spec: Spec) -> ImageSet:
    data = spec.inputs["data"].source
    return find(data) or open_images(str(spec.here.get("data", data)))


def _data(spec: Spec, samples: pa.Table) -> dict[str, Any]:
    data, first = spec.inputs["data"], spec.protocols[0].id if spec.protocols else ""
    mine = samples.filter(equal(samples["protocol"], first))
    hashes = [value for value in mine["sha256"].to_pylist() if value]
    return {
        "spec": spec.here.get("data"),
        "name": data.name,
        "n": data.n,
        "digest": content_digest(_identities(mine)),
        **spec.here.get("set", {}),
        "unreadable": mine.num_rows - mine["error"].null_count,
        "duplicates": len(hashes) - len(set(hashes)),
    }


def _identities(rows: pa.Table) -> Iterator[tuple[str, str | None]]:
    yield from zip(rows["id"].to_pylist(), rows["sha256"].to_pylist(), strict=True)


TOKENIZER = TokenizerTask()
TASKS.add(TOKENIZER.name, TOKENIZER)
