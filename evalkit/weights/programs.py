"""Weight files that are programs (TorchScript): run only with consent to these very bytes, and never to open files."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

from evalkit.errors import WeightsError
from evalkit.weights.find import weights_manifest
from evalkit.weights.reading import file_sha256

CONSENT = "EVALKIT_TRUST_TORCHSCRIPT"
_OPENS = re.compile(rb"\btorch\.(from_file|save|load)\b|\bops\.(?!aten\.|prim\.)\w+|\baten\.(from_file|save)\b")
_LARGEST = 64 << 20  # bytes of a program's source


def check_consent(key: str, path: Path) -> None:
    """Raise `WeightsError` unless the programs in the folder `path` may run.

    Known are those whose sha256 the manifest entry `key` states; others need theirs in the variable
    EVALKIT_TRUST_TORCHSCRIPT (several with commas). Programs that open files or call foreign operators never run.
    """
    for file in sorted(path.glob("*.jit")):
        _check_source(file)
    digest = file_sha256(path)
    entry = weights_manifest().get(key)
    agreed = {each.strip() for each in os.environ.get(CONSENT, "").split(",")}
    if digest not in agreed and (entry is None or entry.sha256 != digest):
        raise WeightsError(
            f"{path} holds TorchScript programs, which are code and not known here. If you trust their source, "
            f"type: export {CONSENT}={digest}"
        )


def _check_source(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            sources = [each for each in archive.infolist() if each.filename.endswith(".py")]
            if sum(each.file_size for each in sources) > _LARGEST:
                raise WeightsError(f"{file.name} holds more source than any tokenizer. It is not run")
            found = next((match for each in sources if (match := _OPENS.search(archive.read(each)))), None)
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return  # it is no program; the reader says so
    if found is not None:
        raise WeightsError(f"{file.name} calls {found.group().decode()}, which no tokenizer needs. It is not run")
