"""A faint pattern of the key in an image's pixels, by which a detector finds how the image was mirrored, moved or scaled."""
