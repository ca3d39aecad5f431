"""Answers that are no proper answers: every way in which one genuine answer can be spoilt."""

import json
from collections.abc import Iterator
from typing import Any

Spoilt = tuple[str, bytes]

NO_TEXT: tuple[Any, ...] = ([], ["0000"], {}, {"a": "0000"}, True, False, 1.5, [[[]]])
STRANGE: tuple[Any, ...] = (*NO_TEXT, -1, "０")


def corpus(genuine: dict[str, Any]) -> list[Spoilt]:
    """Each with a name. None of them is a success that anybody could rely on."""
    return [*_cut(genuine), *_not_objects(), *_not_json(genuine), *_deep(genuine), *_of_wrong_types(genuine)]


def _cut(genuine: dict[str, Any]) -> Iterator[Spoilt]:
    whole = json.dumps(genuine).encode()
    for left in range(0, len(whole), max(len(whole) // 50, 1)):
        yield f"cut after {left}", whole[:left]
    yield "cut by one", whole[:-1]
    yield "cut at the front", whole[1:]


def _not_objects() -> Iterator[Spoilt]:
    texts = (
        "",
        " ",
        "\n",
        "null",
        "true",
        "0000",
        '"0000"',
        "[]",
        '["0000"]',
        "[{}]",
        "{}",
        "success",
        "SUCCESS",
        "\x00",
    )
    yield from ((f"only {text!r}", text.encode()) for text in texts)


def _not_json(genuine: dict[str, Any]) -> Iterator[Spoilt]:
    text = json.dumps(genuine)
    whole = text.encode()
    yield "two objects", whole + whole
    yield "rubbish behind", whole + b"}"
    yield "rubbish before", b")]}'\n" + whole
    yield "a comment", b"/* ok */" + whole
    yield "single quotes", str(genuine).encode()
    yield "a comma too many", text.replace("}", ",}").encode()
    yield "bytes that are no UTF-8", whole.replace(b'"respcd"', b'"\xff\xfe", "respcd"')
    for encoding in ("utf-16", "utf-16-le", "utf-32", "cp037"):
        yield f"written in {encoding}", text.encode(encoding)
    for name in genuine:
        yield f"{name} stands twice", text[:-1].encode() + f', "{name}": "0000"}}'.encode()
    for number in ("NaN", "Infinity", "-Infinity", "1e309", "-1e400", "1e999999999", "01", "+1", "0x10", ".5", "1_000"):
        for name in ("txamt", "respcd", "unheard_of"):
            spoilt = {key: value for key, value in genuine.items() if key != name}
            yield f"{name} is {number}", json.dumps(spoilt)[:-1].encode() + f', "{name}": {number}}}'.encode()
    yield "a control character", text.replace("0000", "00\n00").encode()
    yield "an open string", text[:-2].encode() + b"}"


def _deep(genuine: dict[str, Any]) -> Iterator[Spoilt]:
    text = json.dumps(genuine)[:-1]
    for depth in (21, 100, 1_000, 10_000):
        yield f"{depth} lists deep", f'{text}, "x": {"[" * depth}{"]" * depth}}}'.encode()
        inside = '{"x":' * depth + "1" + "}" * depth
        yield f"{depth} objects deep", f'{text}, "x": {inside}}}'.encode()
    yield "lists that never close", f'{text}, "x": {"[" * 10_000}'.encode()


def _of_wrong_types(genuine: dict[str, Any]) -> Iterator[Spoilt]:
    """`null` and empty text are left out: QFPay leaves fields empty, and so they say nothing."""
    for name in ("respcd", "txamt", "pay_url", "syssn", "out_trade_no", "txcurrcd", "pay_type"):
        for value in STRANGE if name != "syssn" else NO_TEXT:  # the gateway's own number may be any text or number
            yield f"{name} is {value!r}", json.dumps(genuine | {name: value}).encode()
    for name in ("respcd", "pay_url", "syssn"):
        yield f"{name} is null", json.dumps(genuine | {name: None}).encode()
    # What a column of ours could not hold.
    for name, odd in (("long", "9" * 80), ("with a NUL", "20260310\0"), ("with half a character", "20260310\ud800")):
        yield f"syssn is {name}", json.dumps(genuine | {"syssn": odd}).encode()
