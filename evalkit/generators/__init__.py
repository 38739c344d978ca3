"""Image generators: native runners, library classes, and programs of any environment."""
