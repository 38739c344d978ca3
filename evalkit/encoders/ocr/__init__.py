"""Readers of text in images."""
