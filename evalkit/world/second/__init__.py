"""The reference world, second edition: 48 classes on textured grounds, seven styles, twelve tasks, images of 96 px.

Edition 1 stays as it is beside it: its captions, prompts and digests decide what may be compared.
"""
