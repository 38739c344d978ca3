"""One folder for each task that is no domain of its own."""
