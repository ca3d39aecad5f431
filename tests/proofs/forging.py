"""Forged, altered and misdirected notifications: every way that we know, each drawn anew."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from checkout.domain.signing import sign_notification

KEY, OTHER_KEY = "key-of-APP1", "key-of-APP2"
TOO_LARGE = 16 * 1024


@dataclass(frozen=True)
class Sent:
    """One request to /notify; `signature` None: no header at all."""

    body: bytes
    signature: str | None
    merchant: str
    method: str = "POST"
    content_type: str = "application/json"


Forge = Callable[[random.Random, Sent], Sent]
KINDS: dict[str, Forge] = {}


def forge(draw: random.Random, genuine: Sent) -> tuple[str, Sent]:
    """One forgery of a genuine notification that was not sent yet, and its kind."""
    kind = draw.choice(list(KINDS))
    forged = KINDS[kind](draw, genuine)
    if forged.merchant == genuine.merchant and forged.method == "POST" and len(forged.body) <= TOO_LARGE:
        right = sign_notification(forged.body, KEY).lower()
        # What is signed by the right key is rubbish on purpose; all else must not fit by chance.
        assert kind.startswith("signed") or (forged.signature or "").lower() != right
    return kind, forged


def header(name: str, make: Callable[[random.Random, Sent], str | None]) -> None:
    """A kind that leaves the body as it is."""
    KINDS[name] = lambda draw, sent: replace(sent, signature=make(draw, sent))


def altered(name: str, make: Callable[[random.Random, bytes], bytes]) -> None:
    """A kind that changes the body under the signature of the genuine one."""
    KINDS[name] = lambda draw, sent: replace(sent, body=make(draw, sent.body))


def rubbish(name: str, make: Callable[[random.Random, bytes], bytes]) -> None:
    """A kind that is signed with the right key, and no notification."""

    def kind(draw: random.Random, sent: Sent) -> Sent:
        body = make(draw, sent.body)
        return replace(sent, body=body, signature=sign_notification(body, KEY))

    KINDS[f"signed {name}"] = kind


def _hex(draw: random.Random, length: int = 32) -> str:
    return "".join(draw.choices("0123456789abcdefABCDEF", k=length))


def _at(draw: random.Random, body: bytes, new: bytes, gone: int) -> bytes:
    start = draw.randrange(len(body) - gone)
    return body[:start] + new + body[start + gone :]


def _flipped(draw: random.Random, body: bytes) -> bytes:
    index = draw.randrange(len(body))
    return body[:index] + bytes([body[index] ^ (1 << draw.randrange(8))]) + body[index + 1 :]


def _other_digit(draw: random.Random, signature: str) -> str:
    index = draw.randrange(len(signature))
    other = draw.choice([digit for digit in "0123456789ABCDEF" if digit != signature[index].upper()])
    return signature[:index] + other + signature[index + 1 :]


def _with(**changes: str) -> Callable[[random.Random, bytes], bytes]:
    return lambda _, body: json.dumps(json.loads(body) | changes).encode()


def _in(encoding: str) -> Callable[[random.Random, bytes], bytes]:
    return lambda _, body: body.decode().encode(encoding)


def _nested(draw: random.Random, body: bytes) -> bytes:
    depth = draw.choice((21, 300, 3000))
    return body[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}"


header("no header", lambda _, __: None)
header("an empty header", lambda _, __: "")
header("random digits", lambda draw, _: _hex(draw))
header("too short", lambda _, sent: (sent.signature or "")[:31])
header("too long", lambda draw, sent: f"{sent.signature}{_hex(draw, draw.choice((1, 32, 4000)))}")
header("quoted", lambda _, sent: f'"{sent.signature}"')
header("twice", lambda _, sent: f"{sent.signature},{sent.signature}")
header("non-ASCII", lambda draw, _: draw.choice("éüßÿ") * 32)
header("one digit changed", lambda draw, sent: _other_digit(draw, sent.signature or ""))
header("no key", lambda _, sent: sign_notification(sent.body, ""))
header("a guessed key", lambda draw, sent: sign_notification(sent.body, _hex(draw)))
header("another merchant's key", lambda _, sent: sign_notification(sent.body, OTHER_KEY))
header("the key in capitals", lambda _, sent: sign_notification(sent.body, KEY.upper()))
header("the key first", lambda _, sent: hashlib.md5(KEY.encode() + sent.body).hexdigest())  # noqa: S324
header("SHA256", lambda _, sent: hashlib.sha256(sent.body + KEY.encode()).hexdigest())
header("MD5 of the body", lambda _, sent: hashlib.md5(sent.body).hexdigest())  # noqa: S324

altered("re-serialised", lambda _, body: json.dumps(json.loads(body), separators=(",", ":")).encode())
altered("in another order", lambda _, body: json.dumps(dict(reversed(json.loads(body).items()))).encode())
altered("a field more", _with(extra="1"))
altered("another amount", _with(txamt="1"))
altered("another number", lambda draw, body: _with(out_trade_no=f"S{_hex(draw)}")(draw, body))
altered("another kind", _with(notify_type="refund"))
altered("a bit flipped", _flipped)
altered("bytes inserted", lambda draw, body: _at(draw, body, draw.randbytes(3), 0))
altered("bytes removed", lambda draw, body: _at(draw, body, b"", 2))
altered("cut off", lambda draw, body: body[: draw.randrange(len(body))])
altered("white space behind", lambda draw, body: body + draw.choice((b"\n", b" ", b"\r\n", b"\t")))
altered("a NUL behind", lambda _, body: body + b"\0")
altered("a byte-order mark", lambda _, body: b"\xef\xbb\xbf" + body)
altered("UTF-16", _in("utf-16"))
altered("EBCDIC", _in("cp037"))
altered("a name twice", lambda _, body: body[:-1] + b', "txamt": "1"}')
altered("doubled", lambda _, body: body * 2)
altered("deep", _nested)

rubbish("and empty", lambda _, __: b"")
rubbish("and no object", lambda draw, _: draw.choice((b"[]", b"null", b'"x"', b"1", b"{}", b"[{}]")))
rubbish("and a name twice", lambda _, body: body[:-1] + b', "txamt": "1"}')
rubbish("and deep", _nested)
rubbish("and NaN", lambda draw, body: body[:-1] + draw.choice((b', "x": NaN}', b', "x": 1e999}', b', "x": -Infinity}')))
rubbish("and cut off", lambda draw, body: body[: draw.randrange(len(body))])
rubbish("and no UTF-8", lambda _, body: body[:-1] + b', "x": "\xff"}')
rubbish("with a NUL in its number", _with(out_trade_no="S\0"))
rubbish("with an endless number", _with(out_trade_no="S" * 129))
rubbish("without a number", _with(out_trade_no=""))
rubbish("and too large", lambda draw, body: b" " * draw.choice((TOO_LARGE, 1_000_000)) + body)


def _form(_: random.Random, sent: Sent) -> Sent:
    body = "&".join(f"{name}={value}" for name, value in json.loads(sent.body).items()).encode()
    return replace(sent, body=body, content_type="application/x-www-form-urlencoded")


def _sorted_fields(_: random.Random, sent: Sent) -> Sent:
    """As the oldest samples of QFPay did it."""
    told = json.loads(sent.body)
    text = "&".join(f"{name}={told[name]}" for name in sorted(told) if told[name])
    return replace(sent, signature=sign_notification(text.encode(), KEY))


KINDS["a form"] = _form
KINDS["the oldest rule"] = _sorted_fields
KINDS["an unknown address"] = lambda draw, sent: replace(sent, merchant=f"m_{_hex(draw, 24)}")
KINDS["another method"] = lambda draw, sent: replace(sent, method=draw.choice(("GET", "PUT", "DELETE", "PATCH")))
KINDS["at another merchant's address"] = lambda _, sent: replace(sent, merchant="another")
