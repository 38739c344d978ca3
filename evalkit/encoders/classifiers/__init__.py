"""Networks that give an image labels: ImageNet classes, artists, styles, whether it is inappropriate."""
