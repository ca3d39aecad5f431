"""What came as the body of a call."""

from flask import abort, request

from checkout.domain.orders import Nothing, read_json


def json_body(*, optional: bool = False) -> object:
    """Parsed strictly. Raises Invalid; 415 for anything but JSON. Left out, if it may be: an empty object."""
    if optional and not request.get_data():
        return {}
    if request.mimetype != "application/json":
        abort(415, "Send the body as application/json.")
    return read_json(request.get_data())


def refuse_body() -> None:
    """For calls that say everything by their address: an empty object is as good as nothing. Raises Invalid."""
    Nothing.read(json_body(optional=True))
