"""Suites that a TOML file declares and a judge scores: their data, questions, replies, formulas and aggregation."""
