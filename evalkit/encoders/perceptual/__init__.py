"""Perceptual distances between two images of one size."""
