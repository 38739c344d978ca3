"""Records that anyone can verify: statements over runs, signatures, and checks from hashes up to regeneration."""
