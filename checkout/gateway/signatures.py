"""Whether QFPay signed an answer: by the rule of its older text, or by that of today's (qfpay.md section 2.2)."""

import re

from checkout.domain.errors import GatewayGarbled
from checkout.domain.signing import matches, sign_notification, sign_text
from checkout.gateway.records import read_json
from checkout.gateway.transport import Answer

SURROGATE = re.compile("[\ud800-\udfff]")


def is_signed(answer: Answer, client_key: str, *, sent: str) -> bool:
    """Try the raw body, then the fields of `data`. `sent` is our own signature, which could be echoed.

    The second rule proves `data` alone, and is none for enquiries, whose `data` is a list: TLS vouches for the rest.
    """
    if matches(sign_notification(answer.body, client_key), answer.signature):
        return True
    text = data_text(answer.body)
    by_data = text is not None and matches(sign_text(text, client_key, "md5"), answer.signature)
    return by_data and not matches(sent, answer.signature)


def data_text(body: bytes) -> str | None:
    """The text that today's rule signs: the fields of `data`, sorted, as they stand. None where it says nothing."""
    try:
        data = read_json(body).get("data")
    except GatewayGarbled:
        return None
    if not isinstance(data, dict) or not data or not all(type(value) in (str, int) for value in data.values()):
        return None
    text = "&".join(f"{name}={data[name]}" for name in sorted(data))
    return None if SURROGATE.search(text) else text  # half a character: JSON can write it, and no bytes can
