"""The 58 systems that evalkit was founded on: a card each, with what it states and how to evaluate it."""

from evalkit.systems.card import Number, Step, SystemCard
from evalkit.systems.catalog import list_systems, load_system

__all__ = ["Number", "Step", "SystemCard", "list_systems", "load_system"]
