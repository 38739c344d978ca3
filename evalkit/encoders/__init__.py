"""Networks that look at images: features, perceptual distances, text, faces. Judges are none of them."""
