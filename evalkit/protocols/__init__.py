"""Named measurement definitions: data files, one dataclass, and their differences."""

from evalkit.protocols.protocol import Protocol, Quirk, differences, load_protocol, protocol_ids

__all__ = ["Protocol", "Quirk", "differences", "load_protocol", "protocol_ids"]
