"""
Everything this package raises on purpose; each error knows its HTTP status.

CheckoutError                 anything below                                        → 500
├── Invalid                   the request makes no sense, field by field            → 400
├── TooMuch                   a refund of more than is left, with the field named      → 422
├── PreconditionFailed        what the caller believes is no longer so                → 412
├── NotAuthentic              a signature or a key does not match                   → 401
│   └── MistypedKey           an API key of ours that lost a character on its way   → 401
├── NotAllowed                this key or this person may not do it                 → 403
├── NotFound                  there is no such thing, or it is another merchant's   → 404
├── Refused                   we understand, and say no                             → 409
│   ├── SessionClosed         the session can no longer be paid                     → 409
│   ├── KeyReused             an idempotency key that already stands for another order → 422
│   ├── KeyInUse              the first request with this key is still running      → 409
│   └── TooManyAttempts       wait `retry_after` seconds, then try again            → 429
├── GatewayError              the gateway said no, or nothing that can be used      → 502
│   ├── GatewayUnreachable    it never answered
│   ├── GatewayGarbled        it answered nonsense
│   └── GatewayRefused        it answered: no, with a `code`
└── KeyUnavailable            no SECRET_KEY opens a stored key; the same request may be repeated → 503
"""

from collections.abc import Mapping


class CheckoutError(Exception):
    """The root: catch this to catch all that we raise on purpose."""

    http_status = 500


class Invalid(CheckoutError):
    """`errors` maps a field's name to one sentence that says what is wrong with it."""

    http_status = 400

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors.items()))
        self.errors = dict(errors)


class TooMuch(Invalid):
    """The request makes sense, but not for what is left."""

    http_status = 422


class PreconditionFailed(CheckoutError):
    http_status = 412


class NotAuthentic(CheckoutError):
    http_status = 401


class MistypedKey(NotAuthentic):
    pass


class NotAllowed(CheckoutError):
    http_status = 403


class NotFound(CheckoutError):
    http_status = 404


class Refused(CheckoutError):
    http_status = 409


class SessionClosed(Refused):
    pass


class KeyReused(Refused):
    http_status = 422


class KeyInUse(Refused):
    pass


class TooManyAttempts(Refused):
    """`retry_after` is in whole seconds, as the header of that name wants it."""

    http_status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GatewayError(CheckoutError):
    http_status = 502


class GatewayUnreachable(GatewayError):
    pass


class GatewayGarbled(GatewayError):
    pass


class GatewayRefused(GatewayError):
    """`code` is the gateway's own, four digits; `codes.look_up` has its meaning."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code


class KeyUnavailable(CheckoutError):
    http_status = 503
