"""Results that others measured, as runs that say so: they stand hollow on leaderboards and are never ranked."""

from evalkit.leaderboard.imports.run import import_results

__all__ = ["import_results"]
