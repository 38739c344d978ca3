"""What a scoring is, as plain data: metrics, outputs of networks that they look at, and weights that are here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.encoders.features.inception import OUTPUTS
from evalkit.encoders.set_encoder import INCEPTION, SPECTRUM
from evalkit.errors import EvalkitError, MissingDependency, WeightsError
from evalkit.jobs.options import RunOptions, weights_by_name
from evalkit.jobs.spec import DataRef, ModelRef, ProtocolRef, Spec
from evalkit.metrics.efflite0 import ENCODER as EMBEDDED
from evalkit.metrics.fvd import I3D
from evalkit.metrics.registry import METRICS
from evalkit.metrics.sets.composition import POOL, SPATIAL, heads_of
from evalkit.metrics.sets.names import set_metrics
from evalkit.metrics.statistics_file import ReferenceFile
from evalkit.protocols.score import ScoreProtocol, load_score_protocol
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

NAME, VERSION, SHARD = "score", 1, 128
SHOWN = 8  # images on either end of the page
FILES: Mapping[str, str] = {EMBEDDED: "efficientnet-lite0"}  # weights that are not called like their network


@dataclass(frozen=True)
class Networks:
    """The networks that metrics need: those whose weights are here, and why the others are not."""

    here: Mapping[str, ModelRef]
    unavailable: Mapping[str, str]

    def missing(self, needs: Sequence[str]) -> str | None:
        """Why one of `needs` is not here; None where all are."""
        return next((self.unavailable[need] for need in needs if need in self.unavailable), None)


def networks_of(needs: Sequence[str], given: Sequence[str]) -> Networks:
    """Where the weights of each network lie, and their digest; nothing is loaded. `given`: as of `--weights`."""
    names = list(dict.fromkeys(needs))
    paths = weights_by_name(given, names)
    here: dict[str, ModelRef] = {}
    lost: dict[str, str] = {}
    for name in names:
        try:
            path = find_weights(FILES.get(name, name), paths.get(name))
        except (WeightsError, MissingDependency) as error:
            lost[name] = f"{error}, or type --weights {name}=PATH"
        else:
            here[name] = ModelRef(name, file_sha256(path), weights=str(path))
    return Networks(here, lost)


def _check_some(metrics: Sequence[str], found: Networks, *, videos: bool) -> None:
    """Raise where not one of `metrics` can be measured with the networks that are here."""
    lost = [found.missing(_needs(name)) for name in metrics]
    if lost and all(lost):
        without = "" if videos else ". Metrics that end in _efflite0 need no download"
        raise WeightsError(f"nothing can be measured: {lost[0]}{without}")


def _needs(name: str) -> list[str]:
    return [*METRICS.get(name).needs, *(network_of(head) for head in heads_of(set_metrics([name])))]


def network_of(head: str) -> str:
    """The network that gives an output.

    >>> network_of("2048"), network_of("clip-vitl14")
    ('inception-v3-fid', 'clip-vitl14')
    """
    return INCEPTION if head in OUTPUTS else head


def score_spec(
    metrics: Sequence[str],
    protocol: ScoreProtocol,
    inputs: Mapping[str, DataRef],
    options: RunOptions,
    *,
    label: str,
    statistics: bool,
    here: Mapping[str, Any],
    cache: bool = True,
    file: ReferenceFile | None = None,
) -> Spec:
    """The spec of one scoring. `statistics`: outputs are taken that a file of statistics holds, beside what the metrics need.
    `cache`: features of images that were looked at before are taken from the user's cache, and fresh ones kept there.
    Raises where the reference's `file` was made under another protocol or with another network.
    """
    held = (POOL, SPATIAL) if protocol.clips is None else (I3D,)
    wanted = [*heads_of(set_metrics(metrics)), *(held if statistics else ())]
    needs = [need for name in metrics for need in METRICS.get(name).needs] + [network_of(head) for head in wanted]
    found = networks_of(needs, options.weights)
    if statistics and protocol.clips is None and found.missing([INCEPTION]):
        wanted = [*wanted, EMBEDDED]
        found = networks_of([*needs, EMBEDDED], options.weights)
    heads = [head for head in dict.fromkeys(wanted) if network_of(head) in found.here]
    if heads and options.keep != "none" and protocol.clips is None:
        heads.append(SPECTRUM)
    if file is not None:
        _check_file(file, protocol, found.here)
    if not statistics:
        _check_some(metrics, found, videos=protocol.clips is not None)
    return Spec(
        NAME,
        VERSION,
        models=found.here,
        inputs=inputs,
        protocols=(ProtocolRef(protocol.id, protocol.sha256),),
        metrics=tuple(metrics),
        parameters={
            "heads": heads,
            "unavailable": sorted(found.unavailable),
            "model": label,
            "shown": 0 if options.keep == "none" else SHOWN,
        },
        seed=options.seed,
        shard=SHARD,
        here={
            "batch_size": options.batch_size,
            "threads": options.threads,
            "cache": cache,
            "unavailable": dict(found.unavailable),
            **here,
        },
    )


def protocol_of(spec: Spec) -> ScoreProtocol:
    """The protocol of a spec; raises `EvalkitError` where its rules are others here."""
    (ref,) = spec.protocols
    protocol = load_score_protocol(ref.id)
    if protocol.sha256 != ref.sha256:
        raise EvalkitError(
            f"the protocol {ref.id} of this evalkit is not that of the run. Use the evalkit that made it"
        )
    return protocol


def weights_path(spec: Spec, name: str) -> str | Path | None:
    """Where the weights of a network lie here."""
    ref = spec.models.get(name)
    return None if ref is None else ref.weights


def _check_file(file: ReferenceFile, protocol: ScoreProtocol, here: Mapping[str, ModelRef]) -> None:
    file.check_made_with({"protocol": protocol.id})
    network = file.made_with.get("network")
    if network is None:
        return
    if network not in here:
        raise EvalkitError(
            f"{file.path.name} holds statistics of {network}, which none of these metrics looks at. "
            f"Choose metrics of {network}, or another reference."
        )
    file.check_made_with({"weights": str(here[network].sha256)})
