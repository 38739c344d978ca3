"""What is signed: an in-toto Statement v1 whose subjects are all files of a run, with a predicate shaped like SLSA provenance.

Sources: in-toto attestation framework (spec/v1/statement.md), SLSA provenance v1 (buildDefinition, runDetails).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalkit.jobs.progress import Progress
from evalkit.jsonio import parse_json
from evalkit.provenance.files import digests, listing, manifest_digest
from evalkit.provenance.merkle import leaves_of, root
from evalkit.runs.store import RECORD

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:evalkit:run:v1"
BUILD = "urn:evalkit:build:v1"


@dataclass(frozen=True)
class Parent:
    """A run that another one was made from: its folder's name and task, the sha256 of its record, its samples' root."""

    name: str
    task: str
    record: str
    samples: str


def statement_of(folder: Path, parents: Sequence[Parent], files: Mapping[str, str]) -> dict[str, Any]:
    """The statement over the run (or any folder) with the given parents and digests of all its files."""
    record = _record(folder)
    subject = [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)]
    predicate: dict[str, Any] = {
        "buildDefinition": {
            "buildType": BUILD,
            "externalParameters": {key: record[key] for key in ("task", "command", "seed", "sampler") if key in record},
            "internalParameters": {"plan": record.get("plan", {})},
            "resolvedDependencies": _dependencies(record),
        },
        "runDetails": {
            "builder": {"id": "urn:evalkit", "version": _versions(record)},
            "metadata": {"finishedOn": record.get("created"), "invocationId": files.get("record.json")},
        },
        "files": {"count": len(files), "modelSigningDigest": manifest_digest(files)},
        "parents": [asdict(parent) for parent in sorted(parents, key=lambda each: (each.name, each.record))],
    }
    if RECORD in files and "samples.parquet" in files:
        found = leaves_of(folder / "samples.parquet")
        predicate["samples"] = {"count": len(found), "merkleRoot": root(found).hex()}
    if RECORD in files and "results.json" in files:
        predicate["results"] = parse_json((folder / "results.json").read_bytes(), str(folder / "results.json"))
    return {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": predicate}


def parent_of(folder: Path) -> Parent:
    """A sealed run as a parent of others."""
    record = _record(folder)
    digest = digests(folder, ["record.json"])["record.json"]
    samples = folder / "samples.parquet"
    found = leaves_of(samples) if samples.exists() else []
    return Parent(folder.resolve().name, str(record.get("task")), str(digest), root(found).hex())


def parents_in(statement: Mapping[str, Any]) -> list[Parent]:
    """The parents that a statement names; raises TypeError or KeyError where it is no statement of evalkit's."""
    found = [Parent(**each) for each in statement["predicate"]["parents"]]
    if not all(isinstance(value, str) for parent in found for value in vars(parent).values()):
        raise TypeError("a parent is named by texts")
    return found


def file_digests_in(statement: Mapping[str, Any]) -> dict[str, str]:
    """sha256 by name of the files that a statement is about."""
    return {str(each["name"]): str(each["digest"]["sha256"]) for each in statement["subject"]}


def present_digests(folder: Path, progress: Progress | None = None) -> dict[str, str | None]:
    """sha256 by name of the files that are there, None for links."""
    return digests(folder, listing(folder), progress=progress)


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "record.json"
    found: dict[str, Any] = parse_json(path.read_bytes(), str(path)) if path.exists() else {}
    return found


def _dependencies(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Model, data, protocols and judges, each with the digest that the record gives."""
    model, data, judges = (record.get(key) or {} for key in ("model", "data", "judges"))
    listed = [("model", model.get("name"), model.get("weights_sha256")), ("data", data.get("name"), data.get("digest"))]
    listed += [("protocol", each.get("id"), each.get("sha256")) for each in record.get("protocols", [])]
    listed += [("judge", name, digest) for name, digest in sorted((judges.get("weights") or {}).items())]
    return [
        {"name": f"{kind}:{name}", **({"digest": {"sha256": digest}} if digest else {})}
        for kind, name, digest in listed
        if name is not None
    ]


def _versions(record: Mapping[str, Any]) -> dict[str, Any]:
    where = record.get("environment") or {}
    packages = {name: version for name, version in (where.get("packages") or {}).items() if version}
    return {"evalkit": record.get("evalkit"), "python": where.get("python"), **packages}
