"""Decoy keys: what a key that nobody marked with finds in the very same images, and what follows for the real one.

`families` scores codes under hundreds of keys at once, `lean` takes out what a key owes to codes that the images share,
`ranks` compares the real key with the decoys. Nothing here reads a file or knows a tokenizer.
"""
