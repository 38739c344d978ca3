"""Weight files: the manifest, the search path, safe reading, and fitting to a network by official names."""
