"""Pure maths of the metrics: features to statistics to values; no networks."""
