"""Networks that look at pictures: features, perceptual distances, text."""
