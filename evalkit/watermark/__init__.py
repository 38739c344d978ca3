"""Watermarks of autoregressive image generators: embedding, detection, attacks."""
