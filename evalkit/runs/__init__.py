"""Running things so that they can be stopped, resumed, sealed and read back."""

from evalkit.runs.store import Result, Run, RunStore, read_run

__all__ = ["Result", "Run", "RunStore", "read_run"]
