"""Concept erasure: prompt pairs, training of erasers, and the check that a destroyed model cannot pass."""
