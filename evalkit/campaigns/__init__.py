"""Campaigns: many models on many suites in one plan that is resumed, with one cost and one leaderboard."""
