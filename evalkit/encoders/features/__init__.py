"""Feature extractors, one network a file."""
