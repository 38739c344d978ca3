"""What verbs over finished runs are tried with: small sealed runs, and the command line in this process."""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.cli import main
from evalkit.jsonio import pretty_json


def write_run(folder, name, values, protocol="evalkit-1", metric="psnr"):
    folder.mkdir(parents=True)
    n = len(values)
    columns = {"id": [f"s{i}" for i in range(n)], "protocol": [protocol] * n, metric: values}
    pq.write_table(pa.table(columns | {"error": pa.nulls(n, pa.string())}), folder / "samples.parquet")
    row = {"task": "reconstruction", "dataset": "photos", "metric": metric, "value": sum(values) / n, "low": None}
    row |= {"high": None, "ci_method": "", "n": n, "unit": "dB", "better": "higher", "protocol": protocol}
    (folder / "results.json").write_bytes(pretty_json([row | {"status": "ok", "reason": None}]))
    files = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in ("results.json",)}
    record = {"evalkit": "0.1.0", "task": "tokenizer", "model": {"name": name}, "files": files}
    record |= {"data": {"name": "photos", "n": n, "digest": "d"}, "protocols": [{"id": protocol, "sha256": "e"}]}
    (folder / "record.json").write_bytes(pretty_json(record))
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    def typed(*arguments):
        monkeypatch.setattr("sys.argv", ["evalkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return typed


@pytest.fixture
def two(tmp_path):
    write_run(tmp_path / "runs" / "a", "a", [float(i % 7) + 5 for i in range(40)])
    write_run(tmp_path / "runs" / "b", "b", [float(i % 7) + i % 2 for i in range(40)])
    return tmp_path / "runs"
