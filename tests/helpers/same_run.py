"""Whether two sealed runs agree in every byte that does not depend on time and place."""

LOOSE = {"record.json", "report.html", "manifest.jsonl", ".lock"}  # these tell seconds


def contents(folder):
    """Bytes by relative path."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name not in LOOSE}
