"""A run whose record agrees with its files again, as a liar would leave it who knows how records work."""

import hashlib
import json

from evalkit.jsonio import pretty_json
from evalkit.runs.record import with_digest


def resealed(folder):
    """Let record.json state the digests of the files that are in `folder`; gives the folder back."""
    record = json.loads((folder / "record.json").read_bytes())
    there = [path for path in folder.rglob("*") if path.is_file() and path.name != "record.json"]
    files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in there}
    (folder / "record.json").write_bytes(pretty_json(with_digest({**record, "files": files})))
    return folder
