"""Small networks of every native family, and what is stored of each (tests/parity/data/small)."""
