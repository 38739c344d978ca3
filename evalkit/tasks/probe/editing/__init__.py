"""Scores of edited images: what should stay has stayed, what should change shows the text, and a judge's word."""
