"""Which passwords people may have: long ones that are not the first that a stranger would try (safety.md S27)."""

import re
import unicodedata

SHORTEST, LONGEST = 12, 128
FEWEST_LETTERS = 5  # different ones

# What leaked lists begin with. Digits and signs around them make them no better: `Password2026!` is on all of them.
# fmt: off
_WORN = frozenset((
    "abcdefghijkl", "abcdefghijklm", "admin", "adminadmin", "administrator", "asdfasdf", "asdfghjkl",
    "asdfghjklqwerty", "baseball", "batman", "changeme", "charlie", "chelsea", "computer", "dragon", "football",
    "hello", "helloworld", "hongkong", "iloveyou", "iloveyouiloveyou", "letmein", "liverpool", "login", "loveyou",
    "master", "michael", "monkey", "passpass", "passw", "password", "passwordpassword", "princess", "qazwsx",
    "qazwsxedc", "qwerty", "qwertyqwerty", "qwertyuiop", "qwertyuiopasdf", "root", "sampan", "secret", "shadow",
    "starwars", "sunshine", "superman", "supersecret", "trustno", "trustnoone", "welcome", "welcomewelcome",
    "whatever", "woaini", "zxcvbnm",
))
# fmt: on
_RUNS = ("01234567890123456789", "98765432109876543210", "qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz")


def normal(password: str) -> str:
    """One spelling of what looks the same: keyboards disagree about accents and full-width letters."""
    return unicodedata.normalize("NFKC", password)


def problem_with(password: str, *, email: str) -> str | None:
    """The name of what is wrong, `short`, `long`, `plain` or `known`; None: it may be used."""
    text = normal(password)
    if len(text) < SHORTEST:
        return "short"
    if len(text) > LONGEST:
        return "long"
    lower = text.lower()
    if len(set(lower)) < FEWEST_LETTERS or any(lower in run for run in _RUNS):
        return "plain"
    letters, name = _letters(lower), _letters(email.lower().partition("@")[0])
    unmasked = _letters(lower.strip("0123456789!?.,*#+-_ ").translate(str.maketrans("@$013457", "asoieast")))
    if {letters, unmasked} & _WORN or (name and letters in (name, name * 2)) or lower == email.lower():
        return "known"
    return None


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", text)
