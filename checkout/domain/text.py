"""Text that strangers wrote, made safe to stand beside our own."""

import unicodedata

# Marks that turn the reading direction or hide: a shop's name must not reverse the amount beside it (safety.md S19).
_INVISIBLE = {"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = {"\u200d", "\ufe0f"}  # emoji sequences need them


def plain(text: str) -> str:
    """The text without control, bidirectional and other invisible characters; line ends become blanks."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in _INVISIBLE)


def has_controls(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cs") for c in text)
