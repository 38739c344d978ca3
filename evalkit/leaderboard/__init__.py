"""Leaderboards over sealed runs: who is better, how surely, and what may not be compared."""

from evalkit.leaderboard.make import Leaderboard, LeaderboardOptions, make_leaderboard

__all__ = ["Leaderboard", "LeaderboardOptions", "make_leaderboard"]
