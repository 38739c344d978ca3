"""Blocks that several tokenizer families really share; attribute names are the official checkpoints' keys."""
