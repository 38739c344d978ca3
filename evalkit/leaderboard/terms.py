"""The terms of a number: everything that must be equal before two numbers may be ranked together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.jsonio import canonical_json
from evalkit.metrics.registry import METRICS
from evalkit.metrics.sets.composition import ALONE

WORDS = {  # how the terms are called when they differ
    "protocol": "protocol",
    "rules": "rules of the protocol (sha256)",
    "dataset": "data set",
    "n": "n",
    "data": "digest of the data",
    "judges": "weights of evaluator networks",
    "samples": "measured samples (sha256 of their ids)",
}


@dataclass(frozen=True, order=True)
class Terms:
    """What was measured, on what, by which rules.

    `rules`: digest of the protocol's text, so that two protocols of one name are told apart. `data`: digest of the
    reference, of the prompts, or of the images.
    `dataset` is a label and compares nothing; `part` is what of the data the number speaks of, such as "/photos", or the
    whole label where no digest tells the data. `judges`: the networks behind the metric, with their digests.
    `samples`: digest of the ids that have a value, where the samples themselves are what is shared.
    """

    task: str
    dataset: str = field(compare=False)
    metric: str
    protocol: str
    n: int
    data: str = ""
    rules: str = ""
    judges: str = ""
    samples: str = ""
    part: str = ""

    @property
    def digest(self) -> str:
        """Eight characters that name the board of these terms."""
        compared = {name: value for name, value in vars(self).items() if name != "dataset"}
        return hashlib.sha256(canonical_json(compared)).hexdigest()[:8]

    def same_data(self, other: Terms) -> bool:
        """Whether both speak of the same part of the same data, by digest, or by name where there is none."""
        return self.part == other.part and self.data == other.data


def terms_of(record: Mapping[str, Any], result: Mapping[str, Any], samples: str) -> Terms:
    """The terms of one row of results.json of the run with this record."""
    shared, digest = _data(record, str(result["metric"]), str(result["task"]))
    return Terms(
        task=str(result["task"]),
        dataset=str(result["dataset"]),
        metric=str(result["metric"]),
        protocol=str(result["protocol"]),
        n=int(result["n"] or 0),
        data=digest,
        rules=_rules(record, str(result["protocol"])),
        judges=_judges(record, str(result["metric"]), str(result["task"])),
        samples=samples if shared else "",
        part=_part(record, str(result["dataset"])) if digest else str(result["dataset"]),
    )


def kind_of_data(terms: Terms) -> str:
    """What the digest `data` is of: the images themselves, the prompts, or the reference's images."""
    declared = METRICS.find(terms.metric)
    if terms.samples:
        return "images"
    if terms.task == "probe" or (terms.task == "score" and declared is not None and declared.level == "sample"):
        return "prompts"
    return "reference images" if terms.task == "score" else "data"


def different(a: Terms, b: Terms) -> list[tuple[str, str, str]]:
    """(what differs, its value in a, in b); digests are cut to twelve characters.

    >>> one = Terms("reconstruction", "sample", "psnr", "evalkit-1", 28)
    >>> different(one, Terms("reconstruction", "sample", "psnr", "vtbench-2025", 12))
    [('protocol', 'evalkit-1', 'vtbench-2025'), ('n', '28', '12')]
    """
    found = [(name, word, getattr(a, name), getattr(b, name)) for name, word in WORDS.items()]
    other = [(name, word, x, y) for name, word, x, y in found if x != y]
    names = {name for name, *_ in other}
    hidden = {"dataset"} if a.same_data(b) else set()
    if "protocol" in names:
        hidden |= {"rules", "judges"}  # another protocol has other rules: that says it all
    if names & {"n", "dataset", "data"}:
        hidden.add("samples")
    return [(word, _short(name, x), _short(name, y)) for name, word, x, y in other if name not in hidden]


def _short(name: str, value: Any) -> str:
    text = str(value) or "not stated"
    return text[:12] if name in ("data", "rules", "samples") and value else text


def _data(record: Mapping[str, Any], metric: str, task: str) -> tuple[bool, str]:
    """Whether the samples are shared themselves, and the digest of what the number is taken against.

    A score of single images is taken against its prompts, and one of a set by itself against nothing.
    """
    declared = METRICS.find(metric)
    if task == "score" and metric in ALONE:
        return False, "no reference"
    of_images = task == "score" and declared is not None and declared.level == "sample"
    for name in ("prompts", "reference") if of_images else ("reference", "prompts"):
        part = record.get(name)
        if isinstance(part, dict) and part.get("digest"):
            return False, str(part["digest"])
    part, conditions = record.get("data"), record.get("conditions")
    digest = str(part.get("digest") or "") if isinstance(part, dict) else ""
    if isinstance(conditions, dict):  # a likelihood is of the images under their classes or prompts
        digest = hashlib.sha256(f"{digest} {conditions.get('digest')}".encode()).hexdigest()
    return True, digest


def _part(record: Mapping[str, Any], label: str) -> str:
    """The label of a result without the name of its data, which a copy may not share."""
    for key in ("reference", "prompts", "data"):
        said = record.get(key)
        name = said.get("name") if isinstance(said, dict) else None
        if isinstance(name, str) and name and (label == name or label.startswith((f"{name}/", f"{name}["))):
            return label[len(name) :]
    return label


def _rules(record: Mapping[str, Any], protocol: str) -> str:
    listed = record.get("protocols")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("id") == protocol:
            return str(each.get("sha256") or "")
    return ""


def _judges(record: Mapping[str, Any], metric: str, task: str) -> str:
    """Names and digests of the networks that this metric needs, by the names that a record gives them."""
    weights = _weights(record)
    mine = [name for name in weights if _behind(name, metric, task)]
    return ", ".join(f"{name} {str(weights[name])[:12]}" if weights[name] else name for name in sorted(mine))


def _weights(record: Mapping[str, Any]) -> dict[str, Any]:
    """Digests by network: `encoders`, or `judges` as records of format 1 have them."""
    judges = record.get("judges")
    old = judges.get("weights") if isinstance(judges, dict) else None
    new = record.get("encoders")
    return {str(name): digest for each in (old, new) if isinstance(each, dict) for name, digest in each.items()}


def _behind(network: str, metric: str, task: str) -> bool:
    """Whether `metric` depends on a network of the record; of a metric that nobody declares every network counts."""
    declared = METRICS.find(metric)
    if declared is None:
        return True
    return network.startswith(f"{task}:") or any(_is(network, need) for need in declared.needs)


def _is(network: str, need: str) -> bool:
    """Whether a record's name, such as `ocr rapidocr 3.10`, is that of the encoder `need`."""
    name, wanted = (each.replace("-", "").replace("_", "") for each in (network, need))
    return name == wanted or name.startswith(f"{wanted} ")
