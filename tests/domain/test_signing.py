"""Every signature vector of QFPay's protocol, also those that must not match (tests/vectors/qfpay.json)."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from checkout.domain.signing import SignType, canonical, matches, sign_notification, sign_request, sign_return

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "qfpay.json").read_text())
REQUESTS = {vector["id"]: vector for vector in VECTORS["requests"]}


def each(section: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[section], ids=lambda vector: vector["id"])


def hashed(text: str | bytes, sign_type: SignType = "md5") -> str:
    """The plain hash, not our code: so that the vectors check us, and nothing of ours checks the vectors."""
    return hashlib.new(sign_type, text.encode() if isinstance(text, str) else text).hexdigest()


@each("requests")
def test_a_request_is_signed_over_what_is_sent(vector: dict[str, Any]) -> None:
    text = canonical(vector["params"])
    assert text == vector["canonical"]
    assert text + vector["client_key"] == vector["string_to_sign"]
    assert len(vector["string_to_sign"].encode()) == vector["string_to_sign_utf8_bytes"]
    assert [pair.split("=")[0] for pair in text.split("&")] == vector["params_sent"]


@each("requests")
def test_a_request_has_the_digest_of_its_algorithm(vector: dict[str, Any]) -> None:
    assert sign_request(vector["params"], vector["client_key"], "md5") == vector["md5_upper"]
    assert sign_request(vector["params"], vector["client_key"], "sha256") == vector["sha256_lower"]
    assert matches(vector["sha256_lower"], vector["sha256_upper"])
    assert vector["headers_if_md5"]["X-QF-SIGN"] == vector["md5_upper"]
    assert vector["headers_if_sha256"]["X-QF-SIGN"] == vector["sha256_lower"]


@each("requests")
def test_percent_encoding_happens_on_the_wire_only(vector: dict[str, Any]) -> None:
    sent = {name: vector["params"][name] for name in vector["params_sent"]}
    assert urlencode(sent) == vector["wire_body_form_urlencoded"]
    assert canonical(dict(parse_qsl(vector["wire_body_form_urlencoded"]))) == vector["canonical"]


def test_a_sign_parameter_is_not_part_of_what_it_signs() -> None:
    assert canonical({"a": "1", "sign": "x"}) == "a=1"


@each("request_negatives")
def test_a_wrongly_made_request_signature_is_not_ours(vector: dict[str, Any]) -> None:
    right = REQUESTS[vector["of"]]
    text = vector.get("string_to_sign", right["string_to_sign"])
    encoding = "big5" if vector["id"] == "neg-big5" else "utf-8"
    assert hashed(text.encode(encoding)).upper() == vector["md5_upper"]  # wrong in just the way that it says
    assert not matches(sign_request(right["params"], right["client_key"], "md5"), vector["md5_upper"])


@each("notifications")
def test_a_notification_is_signed_over_its_raw_bytes(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    assert len(body) == vector["body_bytes"]
    assert hashed(body, "sha256") == vector["body_hex_sha256"]
    signature = sign_notification(body, vector["client_key"])
    assert signature == vector["x_qf_sign"]
    assert matches(signature, vector["x_qf_sign"].lower())


@pytest.mark.parametrize(
    ("body", "key", "signature"),
    [
        pytest.param(vector["body"], vector["client_key"], signature, id=f"{vector['id']}-{why}")
        for vector in VECTORS["notifications"]
        for why, signature in vector["negative"].items()
    ],
)
def test_a_wrongly_made_notification_signature_does_not_match(body: str, key: str, signature: str) -> None:
    assert not matches(sign_notification(body.encode(), key), signature)


def test_a_notification_written_anew_does_not_match() -> None:
    vector = VECTORS["notifications"][0]
    compact = json.dumps(json.loads(vector["body"]), separators=(",", ":"), ensure_ascii=False)
    assert sign_notification(compact.encode(), vector["client_key"]) == vector["negative"]["reserialised_compact_md5"]


@pytest.mark.parametrize("given", [None, "", " ", "é" * 32, "\udcff", "0" * 31, "0" * 33, "x" * 10_000])
def test_rubbish_never_matches_and_never_raises(given: str | None) -> None:
    assert not matches("0" * 32, given)


@each("responses")
def test_an_answer_is_signed_over_its_raw_bytes(vector: dict[str, Any]) -> None:
    signature = sign_notification(vector["body"].encode(), vector["client_key"])
    assert signature == vector["x_qf_sign_raw_body"]
    assert not matches(signature, vector["x_qf_sign_flat_sorted_never_documented"])


@each("hosted_checkout")
def test_a_link_for_the_hosted_checkout_is_signed_as_a_request(vector: dict[str, Any]) -> None:
    assert canonical(vector["params"]) == vector["canonical"]
    assert sign_request(vector["params"], vector["client_key"], vector["params"]["sign_type"]) == vector["sign"]


@each("hosted_checkout")
def test_a_link_is_verified_from_its_own_parameters(vector: dict[str, Any]) -> None:
    given = dict(parse_qsl(vector["url"].partition("#/?")[2]))
    del given["lang"]  # not part of what is signed
    assert given["sign"] == sign_request(given, vector["client_key"], vector["params"]["sign_type"])


@each("query_sign")
def test_an_address_for_a_browser_is_signed_as_a_request(vector: dict[str, Any]) -> None:
    assert canonical(vector["params"]) == vector["canonical"]
    assert sign_request(vector["params"], vector["client_key"], "md5") == vector["sign_md5_upper"]


def test_every_section_of_the_vectors_has_its_test() -> None:
    tested = {"requests", "request_negatives", "notifications", "responses", "hosted_checkout", "query_sign"}
    assert set(VECTORS) - {"about", "rules"} == tested
    assert all(VECTORS[section] for section in tested)


def test_the_way_back_to_the_shop_is_signed_with_the_decoded_secret() -> None:
    signed = sign_return("whsec_c2VjcmV0", session_id="cs_1", reference="A-1", status="paid", timestamp=1_800_000_000)
    # printf 'cs_1.A-1.paid.1800000000' | openssl dgst -sha256 -hmac secret
    assert signed == "fe82f6d713cf0eb406a8e2761c78246ac51ee2b9ed64e060a2bf6f94f4bc3e76"
