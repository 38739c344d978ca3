"""Probes: does a generator do what it is told? Prompts, then evidence of images, then rules, then a summary."""
