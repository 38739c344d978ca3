"""The version of this evalkit, which records state."""

__version__ = "0.1.0"
