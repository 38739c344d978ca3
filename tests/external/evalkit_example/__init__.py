"""What another package adds to evalkit: a tokenizer, an encoder and a prompt suite, each found by its entry point."""
