"""SQL over many runs: DuckDB holds their rows in memory, and can reach no file, no setting and no network."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.runs.find import find_runs
from evalkit.runs.query_rows import RESULTS, RUNS, as_table, read_json, result_rows, run_row
from evalkit.runs.sealed import check_sealed
from evalkit.runs.tables import count_of

TABLES = ("runs", "samples", "results")
OWN = ("run", "path", "model")  # columns of samples that evalkit adds
READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)  # the last: PIVOT
BATCH = 10_000  # rows


@dataclass(frozen=True)
class Limits:
    """Of one query: `seconds` until it is stopped, and `memory` as DuckDB writes sizes (of all tables and answers)."""

    seconds: float = 300.0
    memory: str = "8GB"


@dataclass(frozen=True)
class Answer:
    """Column names, and the rows in batches, read as they are asked for."""

    columns: tuple[str, ...]
    batches: Iterator[pa.RecordBatch]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Python values, row by row."""
        for batch in self.batches:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


@dataclass(frozen=True)
class LeftOut:
    """A folder that is not among the runs, and why."""

    path: Path
    reason: str


class RunTables:
    """The tables `runs`, `samples` and `results` over the sealed runs in `paths`: runs, or folders of runs.

    `samples` has the columns of all runs' samples.parquet by name (null where a run has no such column) after `run`,
    `path` and `model`; a column of a run's own that has one of these three names is called sample_run, and so on.
    Unfinished and unreadable runs are in `left_out`. Raises `EvalkitError` where nothing is left.
    """

    def __init__(self, paths: str | Path | Sequence[str | Path] = "runs", limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        found = find_runs(paths)
        self.left_out = [LeftOut(path, "unfinished") for path in found.unfinished]
        runs: list[dict[str, Any]] = []
        results: list[dict[str, Any]] = []
        files: dict[str, str] = {}  # a run's path, and where its samples lie
        for path in found.sealed:
            try:
                file, row, its = _read(path)
            except EvalkitError as error:
                self.left_out.append(LeftOut(path, str(error)))
                continue
            runs.append(row)
            results += its
            files[row["path"]] = file
        if not runs:
            raise EvalkitError(f"no run can be read; the first: {self.left_out[0].path}: {self.left_out[0].reason}")
        self.connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
        try:
            self.connection.execute(f"set memory_limit = {_quoted(self.limits.memory)}")
            with TemporaryDirectory(prefix="evalkit-") as links:
                files = {
                    name: _named(file, Path(links) / f"{n}.parquet") for n, (name, file) in enumerate(files.items())
                }
                _create(self.connection, as_table(runs, RUNS), as_table(results, RESULTS), files)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            self.connection.close()
            raise EvalkitError(
                f"the runs cannot be read: {_first_sentence(str(error))}. Check: evalkit verify RUN"
            ) from None
        _lock(self.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def columns(self, table: str) -> dict[str, str]:
        """The columns of one of `TABLES`, with their SQL types."""
        return {str(row[0]): str(row[1]) for row in self.connection.execute(f"describe {table}").fetchall()}

    def ask(self, sql: str) -> Answer:
        """The answer to one SELECT, PIVOT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN, which does not wait for earlier answers.

        Raises `EvalkitError` in one sentence, also for a query that would change something or exceeds the limits.
        """
        cursor = self.connection.cursor()  # its own, so that an answer read in part blocks no other
        timer = threading.Timer(self.limits.seconds, cursor.interrupt)
        timer.daemon = True
        try:
            kinds = [statement.type for statement in duckdb.extract_statements(sql)]
            if len(kinds) != 1:
                raise EvalkitError(f"the query holds {len(kinds)} statements; give one, such as: select * from results")
            if kinds[0] not in READS:
                raise EvalkitError(
                    f"runs are only read, never changed; give a query that begins with select (not {sql.split()[0].lower()})"
                )
            timer.start()
            reader = _reader(cursor, sql)
        except duckdb.Error as error:
            timer.cancel()
            raise self._said(sql, error) from None
        except RuntimeError as error:
            timer.cancel()
            if "interrupted" not in str(error):
                raise
            raise KeyboardInterrupt from None  # which DuckDB found, and gave this name
        return Answer(tuple(reader.schema.names), self._batches(sql, reader, cursor, timer))

    def _batches(
        self, sql: str, reader: pa.RecordBatchReader, cursor: duckdb.DuckDBPyConnection, timer: threading.Timer
    ) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._said(sql, error) from None
        finally:
            timer.cancel()
            reader.close()
            cursor.close()

    def _said(self, sql: str, error: Exception) -> EvalkitError:
        """DuckDB's error in one sentence; where a name is wrong, the names that exist follow."""
        first = _first_sentence(str(error))
        if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in str(error):
            return EvalkitError(
                f"the query took more than {self.limits.seconds:g} s; ask for less, or give more seconds"
            )
        if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
            return EvalkitError(
                f"the query needs more memory than {self.limits.memory}; ask for less, or of fewer runs"
            )
        if isinstance(error, duckdb.TransactionException) and "read" in first:
            return EvalkitError("runs are only read, never changed; give a query that begins with select")
        if isinstance(error, duckdb.PermissionException):
            return EvalkitError(f"the query asks for more than the runs: {first}; it can read {_listed(TABLES)} alone")
        if isinstance(error, duckdb.CatalogException):
            return EvalkitError(f"the query does not work: {first}; the tables are {_listed(TABLES)}")
        if isinstance(error, duckdb.BinderException):
            used = [table for table in TABLES if re.search(rf"\b{table}\b", sql, re.IGNORECASE)] or list(TABLES)
            names = "; ".join(f"{table} has {', '.join(self.columns(table))}" for table in used)
            return EvalkitError(f"the query does not work: {first}; {names}")
        return EvalkitError(f"the query does not work: {first}")


def query_runs(sql: str, runs: str | Path | Sequence[str | Path] = "runs") -> pa.Table:
    """The answer to `sql` over the tables `runs`, `samples` and `results` of a run, a folder of runs, or several, as
    an Arrow table.

    Raises `EvalkitError` for paths without runs and for queries that do not work or want more than to read.

    >>> import pathlib, tempfile
    >>> import evalkit
    >>> from evalkit.jobs.options import RunOptions
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> made = evalkit.evaluate_tokenizer("jpeg-q75", "sample/photos", tasks=["reconstruction"],
    ...                                   options=RunOptions(out=out, limit=2, keep="none"))
    >>> query_runs("select model, count(*) as n from samples group by model", [out]).to_pylist()
    [{'model': 'jpeg-q75', 'n': 2}]
    """
    with RunTables(runs) as tables:
        answer = tables.ask(sql)
        batches = list(answer.batches)
        if batches:
            return pa.Table.from_batches(batches)
        return pa.table({name: pa.nulls(0) for name in answer.columns})


def _read(path: Path) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """Where a run's samples lie, its row, and its results."""
    record = read_json(path / "record.json", dict)
    check_sealed(path, record, ("results.json", "samples.parquet"))
    file = path.resolve() / "samples.parquet"
    try:
        samples = count_of(file)
    except EvalkitError:
        raise EvalkitError("samples.parquet cannot be read") from None
    row = run_row(path, record, samples)
    return str(file), row, result_rows(row, read_json(path / "results.json", list))


def _named(file: str, link: Path) -> str:
    """The file's path; where that is not UTF-8, which DuckDB does not open, a link to it."""
    try:
        file.encode()
    except UnicodeError:
        link.symlink_to(file)
        return str(link)
    return file


def _create(connection: duckdb.DuckDBPyConnection, runs: pa.Table, results: pa.Table, files: dict[str, str]) -> None:
    places = runs.select(["run", "path", "model"]).append_column(
        "file", pa.array([files[p.as_py()] for p in runs["path"]])
    )
    connection.execute("create schema evalkit")
    for name, table in (("runs", runs), ("results", results), ("evalkit.files", places)):
        connection.register("arrow", table)
        connection.execute(f"create table {name} as select * from arrow")
        connection.unregister("arrow")
    connection.execute("alter table runs alter record type json")
    listed = ", ".join(_quoted(_exactly(file)) for file in files.values())
    source = f"read_parquet([{listed}], union_by_name = true, filename = 'evalkit_file', hive_partitioning = false)"
    described = connection.execute(f"describe select * from {source}").fetchall()
    renamed = ", ".join(f'"{name}" as "sample_{name}"' for name, *_ in described if name.lower() in OWN)
    own = ", ".join(f"f.{name}" for name in OWN)
    rename = f" rename ({renamed})" if renamed else ""
    connection.execute(
        f"create table samples as select {own}, s.* exclude (evalkit_file){rename} "
        f"from {source} s join evalkit.files f on f.file = s.evalkit_file"
    )


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    """No file can be opened or written from now on, no extension loaded, and no setting can change.

    Without a folder for temporary files a query that needs more memory than allowed ends with an error and leaves
    nothing behind.
    """
    connection.execute("drop table evalkit.files; drop schema evalkit")
    connection.execute("set temp_directory = ''")
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _reader(cursor: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    """Batches of the answer, made as they are read; the transaction lets nothing be written, not even to a table."""
    cursor.execute("begin transaction read only")
    found = cursor.sql(sql)  # not execute(), which would hold the whole answer
    read = getattr(found, "to_arrow_reader", None) or found.fetch_record_batch  # its name before DuckDB 1.5
    reader: pa.RecordBatchReader = read(BATCH)
    return reader


def _first_sentence(text: str) -> str:
    """What DuckDB says first, without its kind of error, its quotation of the query and its lists of candidates."""
    text = re.sub(r"^([\w ]+ Error: )+", "", text).split("\n\n")[0].split("\nLINE")[0]
    text = " ".join(text.split())
    text = re.sub(r"Referenced column (\".*?\") not found in FROM clause!", r"there is no column \1", text)
    text = re.sub(r"Table with name (\S+) does not exist!.*", r"there is no table \1", text)
    text = re.sub(r"\w+ Function with name (\S+) does not exist!", r"there is no function \1", text)
    text = re.sub(r",? *(Candidate functions|You might need|Candidate bindings:.*?Did).*$", "", text)
    text = text.replace(" Candidate bindings: ", "; near it are ").replace(" Did you mean ", "; did you mean ")
    return text.rstrip(" !.")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _exactly(path: str) -> str:
    """A path as a pattern that only it fits."""
    return re.sub(r"([\[*?])", r"[\1]", path)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
