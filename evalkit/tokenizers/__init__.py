"""Visual tokenizers: the contract (base.py), one file a family, cards as data."""
