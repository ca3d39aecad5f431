"""What the page's script is told in JSON when it asks for a person's passkey."""

from collections.abc import Callable

from flask import Response, get_template_attribute, jsonify
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from checkout.domain.errors import Invalid, NotFound, TooManyAttempts
from checkout.services import authenticators
from checkout.services.authenticators import Site
from checkout.web.context import parts


def site_or_none() -> Site | None:
    """None: nobody can have a passkey here, since the service goes by a number."""
    return authenticators.site_of(parts().config.PUBLIC_URL)


def site() -> Site:
    """Raises NotFound where there are no passkeys."""
    found = site_or_none()
    if found is None:
        raise NotFound("passkeys")
    return found


def told(say: Callable[[], str]) -> ResponseReturnValue:
    """What is said, which is JSON; or what is wrong, in words for the person."""
    try:
        return Response(say(), mimetype="application/json")
    except TooManyAttempts as error:
        response = problem("too_many", 429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    except Invalid as error:
        return problem(error.errors["passkey"], 422)


def problem(word: str, status: int) -> Response:
    """The script shows it as text, so it is no markup any more."""
    words = Markup(get_template_attribute("office/problems.html", "passkey")(word)).unescape()  # noqa: S704 - our own
    response = jsonify(problem=words.strip())
    response.status_code = status
    return response
