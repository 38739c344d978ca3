"""Detectors of a closed list of classes: the contract, its registry, and the ways that evalkit brings."""
