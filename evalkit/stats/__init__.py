"""Intervals, paired tests and multiplicity."""
