"""Pairs of prompts that differ in one concept, made from grammars and language models, filtered by what a model draws."""
