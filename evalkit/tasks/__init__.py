"""One folder per task that is not a domain of its own."""
