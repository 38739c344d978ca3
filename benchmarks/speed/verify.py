"""Does `evalkit verify` hash at the speed of the disk, in flat memory? Taking turns with sha256sum over the same files.

python benchmarks/speed/verify.py [FOLDER]

Two runs in FOLDER (default: a temporary one): 20,000 images of 32 KB, and 8 of 64 MB. `MB_a_second` is the median over
rounds; `share_of_sha256sum` above 0.8 is the goal. `verify, level 2` is the whole of it: listing, hashing, schema, the
statement made again with its Merkle root, and the signature. `peak_mb` is the peak memory of a process that does that
alone, over 2,000 and over 20,000 images.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import in_turn, write
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evalkit.provenance.files import digests, listing
from evalkit.provenance.sign import sign_run
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs.store import RunStore, ShardOutput, write_bytes
from evalkit.tasks.generate.rows import SCHEMA, table

ROUNDS = 3
KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
ALONE = """
import sys
from evalkit.peak import process_peak
from evalkit.provenance.verify import Depth, verify_run
from evalkit.provenance.keys import key_of
verdict = verify_run(sys.argv[1], Depth(key=key_of(sys.argv[2]), recompute=False))
print(verdict.level, (process_peak() or 0) // 2**20)
"""


def make_run(folder: Path, images: int, size: int) -> Path:
    """A sealed and signed run with `images` files of `size` bytes."""
    store = RunStore(folder)
    store.begin({"task": "generate", "n": images})
    rows = []
    block = os.urandom(size)
    for number in range(images):
        data = number.to_bytes(8, "big") + block[8:]
        write_bytes(folder / "images" / f"{number:07d}.png", data)
        digest = hashlib.sha256(data).hexdigest()
        rows.append({"id": str(number), "seed": number, "file": f"images/{number:07d}.png", "sha256": digest})
    store.put("0", ShardOutput(table(rows), {}))
    store.write(store.parts(["0"]).tables(), [], {}, SCHEMA)
    write_bytes(folder / "manifest.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    record = {"evalkit": "0", "task": "generate", "created": "", "plan": {"task": "generate", "n": images}}
    store.seal(record)
    store.settle()
    sign_run(folder, KEY)
    return folder


def compare(name: str, folder: Path) -> list[dict[str, Any]]:
    """Rows of one run."""
    names = listing(folder)
    total = sum((folder / each).stat().st_size for each in names)
    joined = "\0".join(names).encode()

    def sha256sum() -> None:
        subprocess.run(["xargs", "-0", "sha256sum"], input=joined, cwd=folder, stdout=subprocess.DEVNULL, check=True)

    work: dict[str, Callable[[], Any]] = {
        "sha256sum": sha256sum,
        "evalkit, hashes, 1 thread": lambda: digests(folder, names, threads=1),
        "evalkit, hashes": lambda: digests(folder, names),
        "evalkit, verify, level 2": lambda: verify_run(folder, Depth(key=KEY.public_key(), recompute=False)),
    }
    seconds = in_turn(work, ROUNDS)
    base = statistics.median(seconds["sha256sum"])
    return [
        {
            "run": name,
            "candidate": candidate,
            "files": len(names),
            "MB": round(total / 1e6),
            "MB_a_second": round(total / 1e6 / statistics.median(times), 1),
            "best_MB_a_second": round(total / 1e6 / min(times), 1),
            "share_of_sha256sum": round(base / statistics.median(times), 2),
            "peak_mb": "",
        }
        for candidate, times in seconds.items()
    ]


def alone(name: str, folder: Path) -> dict[str, Any]:
    """Peak memory of a process that verifies one run up to level 2."""
    public = KEY.public_key().public_bytes_raw().hex()
    done = subprocess.run([sys.executable, "-c", ALONE, folder, public], capture_output=True, text=True, check=True)
    level, peak = done.stdout.split()
    if level != "2":
        raise SystemExit(f"{folder} reached level {level}")
    row = {"run": name, "candidate": "memory of verify, level 2", "files": len(listing(folder)), "MB": ""}
    return {**row, "MB_a_second": "", "best_MB_a_second": "", "share_of_sha256sum": "", "peak_mb": int(peak)}


def main() -> None:
    """Make the runs, compare, write verify.csv."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        home = Path(place)
        many = make_run(home / "many", 20_000, 32_000)
        rows = compare("20000 of 32 KB", many)
        rows += [alone("2000 of 32 KB", make_run(home / "few", 2_000, 32_000)), alone("20000 of 32 KB", many)]
        large = make_run(home / "large", 8, 64_000_000)
        rows += [*compare("8 of 64 MB", large), alone("8 of 64 MB", large)]
    write("verify", rows)


if __name__ == "__main__":
    main()
