"""One metric over the checkpoints of a training: intervals, which checkpoint may be the best, a page, a CSV, trackers."""

from evalkit.leaderboard.track.points import Point, Track, track_runs
from evalkit.leaderboard.track.write import write_track

__all__ = ["Point", "Track", "track_runs", "write_track"]
