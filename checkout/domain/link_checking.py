"""Why the signature of a storefront link is wrong: tries the usual mistakes with the merchant's own key.

No oracle for forgers: it needs the key, which only its owner's request brings here, never shows a signature that
would be right, and says no more than which mistake makes the signature that was given.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote, quote_plus, unquote

from checkout.domain.link_problems import N_, Problem, Wrong
from checkout.domain.signing import SignType, digest, matches
from checkout.domain.storefront_links import (
    LONGEST_LINK,
    PARAMETERS,
    SIGN_DIGITS,
    BadLink,
    Params,
    pairs_of,
    problems_of,
    signed_texts,
)

MASK = "••••••"

Pairs = list[tuple[str, str]]

# fmt: off
HOW_TEXTS: tuple[tuple[str, Callable[[Pairs], Pairs]], ...] = (
    (N_("The values were percent-encoded before they were signed. Sign them raw, and encode them only in the link."),
     lambda pairs: [(name, quote(value, safe="")) for name, value in pairs]),
    (N_("The values were percent-encoded before they were signed. Sign them raw, and encode them only in the link."),
     lambda pairs: [(name, quote_plus(value)) for name, value in pairs]),
    (N_("The values are percent-encoded twice in the link. Encode them once."),
     lambda pairs: [(name, unquote(value)) for name, value in pairs]),
    (N_("The values were trimmed before they were signed, and not in the link."),
     lambda pairs: [(name, value.strip()) for name, value in pairs]),
)
HOW_KEYS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (N_("There is an “&” before the key. The key follows the last value directly."), lambda key: "&" + key),
    (N_("The key was added as “&key=”. The key follows the last value directly."),   lambda key: "&key=" + key),
    (N_("The key was added as “key=”. The key follows the last value directly."),    lambda key: "key=" + key),
    (N_("A blank or a line end stands after the key."),                              lambda key: key + "\n"),
    (N_("A blank or a line end stands after the key."),                              lambda key: key + "\r\n"),
    (N_("A blank or a line end stands after the key."),                              lambda key: key + " "),
    (N_("A blank or a line end stands before the key."),                             lambda key: " " + key),
    (N_("The key was changed to capital letters."),                                  str.upper),
    (N_("The key was changed to small letters."),                                    str.lower),
    (N_("No key was added."),                                                        lambda _key: ""),
)
NOT_SORTED = N_("The parameters were not sorted by name before they were signed.")
LEFT_OUT = N_("%(name)s was left out of the signed text. All parameters but sign and lang are signed.")
OTHER_ALGORITHM = N_("It was made with %(name)s, but sign_type says otherwise.")
HMAC = N_("It is an HMAC. QFPay wants the plain hash of the text and the key.")
KEY_FIRST = N_("The key stands before the text. It follows the last value.")
OTHER_ENCODING = N_("The text was encoded as %(name)s. Encode it as UTF-8.")
SPLIT_URL = N_("%(name)s holds “&” that is not percent-encoded: what follows it was read as another parameter.")
# fmt: on


@dataclass(frozen=True)
class Mistake:
    words: str
    name: str = ""


@dataclass(frozen=True)
class Checked:
    """`signed` is the text that we would sign, the key masked; `right` is None when there was no key to try.

    `locked`: there is one, and it cannot be opened.
    """

    pairs: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
    signed: str
    right: bool | None = None
    mistakes: tuple[Mistake, ...] = ()
    locked: bool = False


def query_of(link: str) -> bytes:
    """The parameters of a pasted link: what stands behind `#/?`, else behind `?`, else all of it."""
    text = "".join(c for c in link.strip() if c not in "\r\n\t")  # as a browser's address bar takes it
    _, hashed, fragment = text.partition("#")
    if hashed and "?" in fragment:
        return fragment.partition("?")[2].replace("#", "%23").encode("utf-8", "replace")
    before = text.partition("#")[0]
    return (before.partition("?")[2] if "?" in before else before).encode("utf-8", "replace")


def check_link(query: bytes, client_key: str | None) -> Checked:
    """Everything that can be said about a link; about its signature only with the merchant's key."""
    if len(query) > LONGEST_LINK:  # and trying every mistake on it would take long
        return Checked((), (Problem(Wrong.LONG, value=str(LONGEST_LINK)),), "")
    try:
        pairs = pairs_of(query, plus_is_blank=True)
    except BadLink as error:
        return Checked((), error.problems, "")
    params = dict(pairs)
    problems = tuple(problems_of(pairs))
    signed = signed_texts(params)[0] + MASK if params else ""
    if client_key is None or not params.get("sign"):
        return Checked(tuple(pairs), problems, signed)
    readings = [params] if b"+" not in query else [params, dict(pairs_of(query, plus_is_blank=False))]
    right = any(_fits(text, client_key, one) for one in readings for text in signed_texts(one))
    found = [] if right else [made for one in readings for made in _mistakes(one, client_key)]
    mistakes = min(found, key=len, default=())  # the plainest explanation
    return Checked(tuple(pairs), problems, signed, right, mistakes)


def _fits(text: str, client_key: str, params: Params) -> bool:
    sign_type = cast(SignType, params.get("sign_type", "").lower())
    return sign_type in SIGN_DIGITS and matches(digest((text + client_key).encode(), sign_type), params["sign"])


def _mistakes(params: Params, client_key: str) -> Iterator[tuple[Mistake, ...]]:
    """Each way of joining with each way of adding the key and each hash, where that makes the signature given."""
    keys: list[tuple[tuple[Mistake, ...], str]] = [((), client_key)]
    keys += [((Mistake(words),), how(client_key)) for words, how in HOW_KEYS]
    told: dict[str, tuple[Mistake, ...]] = {}
    for joined, text in _texts(params):
        told.setdefault(text, joined)
    for text, joined in told.items():
        for keyed, key in keys:
            for hashed, made in _hashes(params, text, key):
                if matches(made, params["sign"]):
                    yield (*joined, *keyed, *hashed)


def _texts(params: Params) -> Iterator[tuple[tuple[Mistake, ...], str]]:
    """The plainest first: a way that changes nothing about these parameters is no mistake."""
    for text in signed_texts(params):
        yield (), text
    sent = [(name, value) for name, value in params.items() if name != "sign"]
    without_lang = [pair for pair in sent if pair[0] != "lang"]
    for pairs in (without_lang, sent):
        yield (Mistake(NOT_SORTED),), _join(pairs)
        for words, how in HOW_TEXTS:
            yield (Mistake(words),), _join(sorted(how(pairs)))
            yield (Mistake(words), Mistake(NOT_SORTED)), _join(how(pairs))
        for name in params:
            yield (Mistake(LEFT_OUT, name),), _join(sorted(pair for pair in pairs if pair[0] != name))
        yield from _split_urls(pairs)


def _split_urls(pairs: Pairs) -> Iterator[tuple[tuple[Mistake, ...], str]]:
    """An address with a query of its own, put into the link as it is: its tail became parameters."""
    for at, (name, value) in enumerate(pairs):
        known = name.endswith("_url") and name in PARAMETERS
        for end in range(at + 1, len(pairs) if known else at):
            tail = "".join(f"&{more}={rest}" for more, rest in pairs[at + 1 : end + 1])
            whole = [*pairs[:at], (name, value + tail), *pairs[end + 1 :]]
            yield (Mistake(SPLIT_URL, name),), _join(sorted(whole))


def _join(pairs: Pairs) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


def _hashes(params: Params, text: str, key: str) -> Iterator[tuple[tuple[Mistake, ...], str]]:
    said = params.get("sign_type", "").lower()
    for sign_type in SIGN_DIGITS:
        other = () if sign_type == said else (Mistake(OTHER_ALGORITHM, sign_type),)
        yield other, digest((text + key).encode(), sign_type)
        yield (Mistake(KEY_FIRST), *other), digest((key + text).encode(), sign_type)
        for encoding in ("gb18030", "big5", "latin-1") if not text.isascii() else ():
            encoded = (text + key).encode(encoding, "replace")
            yield (Mistake(OTHER_ENCODING, encoding), *other), digest(encoded, sign_type)
    yield (Mistake(HMAC),), hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
