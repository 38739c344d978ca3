"""What another package adds to evalkit: a tokenizer, a metric, an encoder and a prompt suite, each found by its entry point."""
