"""Networks of the native runners; attribute names are the official checkpoints' keys."""
