"""Who is at the back office, and whether they may: every view says what it needs, and one that does not is closed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, cast

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect

from checkout.domain.errors import NotFound, TooManyAttempts
from checkout.domain.locales import lang_of
from checkout.domain.roles import May, StaffRole, may
from checkout.services import people, sign_ins
from checkout.services.denials import Denial, Denied
from checkout.services.endpoints import Errand
from checkout.services.sign_ins import Browser, Visitor
from checkout.store.models import Merchant
from checkout.web import denying, guards, headers, language
from checkout.web.context import db, now, parts, reading_db

View = TypeVar("View", bound=Callable[..., Any])
TOKEN, LANGUAGE = "sign_in", "lang"
CSRF = CSRFProtect()


class Open(Enum):
    """What is not about one shop."""

    CACHES = "caches"  # the same for everybody: no cookie is read or set
    ANYBODY = "anybody"
    HALFWAY = "halfway"  # the password was right, the second factor is awaited
    ENROLLING = "enrolling"  # signed in; also who has yet to add a second factor
    SIGNED_IN = "signed in"


@dataclass(frozen=True)
class Shop:
    """The shop that a page is about, and what its visitor is there."""

    merchant: Merchant
    role: StaffRole

    @property
    def id(self) -> str:
        return self.merchant.id

    def may(self, what: str) -> bool:
        return may(self.role, May(what))


def needs(what: May | Open, *, takes: int = guards.FORM_BYTES) -> Callable[[View], View]:
    """Stands on every view of the back office: who may come here, and how many bytes they may send if they may."""

    def mark(view: View) -> View:
        view.needs, view.takes = what, takes  # type: ignore[attr-defined]
        return view

    return mark


def needed_by(endpoint: str) -> May | Open | None:
    return getattr(current_app.view_functions[endpoint], "needs", None)


def install(app: Flask) -> None:
    """The one cookie: signed, for this host alone, never read by a script; the sign-in itself stands in our books."""
    config = parts_config(app)
    secure = config.PUBLIC_URL.startswith("https://")
    app.config.update(
        SECRET_KEY=_cookie_key(config.SECRET_KEY[0]),
        SECRET_KEY_FALLBACKS=[_cookie_key(key) for key in config.SECRET_KEY[1:]],
        SESSION_COOKIE_NAME="__Host-sampan" if secure else "sampan",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_CHECK_DEFAULT=False,  # shoppers have no cookie that a stranger could use
        WTF_CSRF_TIME_LIMIT=None,  # as long as the cookie
        WTF_CSRF_SSL_STRICT=False,  # `refuse_foreign_origins` does it, and browsers may keep the Referer to themselves
    )
    CSRF.init_app(app)


def parts_config(app: Flask) -> Any:
    return app.extensions["sampan"].config


def _cookie_key(secret: str) -> str:
    """One purpose, one key: the same SECRET_KEY seals what is stored."""
    return hashlib.sha256(b"sampan.cookie.v1\0" + secret.encode()).hexdigest()


def take_shop(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Which shop the address names: the guard's business, so that no view can forget to ask whose it is."""
    g.shop_id = (values or {}).pop("shop_id", "")


def guard() -> ResponseReturnValue | None:
    """Before every view: the body's size, the form's origin, the visitor, and what the view needs."""
    headers.never_compress()
    wanted = needed_by(request.endpoint or "")
    if wanted is None:
        abort(403)
    if wanted is Open.CACHES:
        return None
    g.visitor = _visitor()
    guards.limit_body(_most_bytes())
    _settle_language()
    guards.refuse_foreign_origins()
    if request.method == "POST":
        CSRF.protect()
        guards.refuse_nul_in_form()
    return _halted(wanted)


def _most_bytes() -> int:
    """Of a stranger nobody takes more than a small form, whatever the view would take."""
    takes: int = getattr(current_app.view_functions[request.endpoint or ""], "takes", guards.FORM_BYTES)
    return takes if g.visitor and g.visitor.complete else guards.FORM_BYTES


def _halted(wanted: May | Open) -> ResponseReturnValue | None:
    """Where to go instead; None: come in."""
    if wanted is Open.ANYBODY:
        return None
    here = visitor_or_none()
    if here is None:
        return redirect(url_for("office.signing_in.show", next=_wished()), 303)
    if not here.complete:
        return None if wanted is Open.HALFWAY else redirect(url_for("office.signing_in.code"), 303)
    if wanted is Open.ENROLLING:
        return None
    if must_enrol(here):
        return redirect(url_for("office.account.second_factor"), 303)
    if isinstance(wanted, May):
        g.shop = _shop(here, g.shop_id)
        if not may(g.shop.role, wanted):
            deny(Denied.ROLE, needed=wanted)
            abort(403)
    return None


def must_enrol(here: Visitor) -> bool:
    """Outside development nobody works with a password alone."""
    return parts().config.production and not here.person.has_second_factor


def _wished() -> str | None:
    """Where a link led, for after the sign-in: only paths of ours, and nothing that a form was about to do."""
    return request.full_path.rstrip("?") if request.method == "GET" and request.path != "/merchant" else None


def _visitor() -> Visitor | None:
    token = cookie.get(TOKEN)
    if not isinstance(token, str):
        return None
    found = sign_ins.visitor_with(reading_db(), token, address(), now())
    if found:
        sign_ins.seen(db(), found, now())
    return found


def _settle_language() -> None:
    chosen = lang_of(request.args.get("lang", ""))
    if chosen:
        cookie[LANGUAGE] = chosen.value
    language.choose(cookie.get(LANGUAGE))


def _shop(here: Visitor, shop_id: str) -> Shop:
    """Raises NotFound for a shop that is not there and for one that is somebody else's, in the same words."""
    g.shops = people.shops_of(reading_db(), here.person)
    for merchant, role in g.shops:
        if merchant.id == shop_id:
            return Shop(merchant, role)
    deny(Denied.SHOP)
    raise NotFound("shop")


def recognise() -> None:
    """Who is here, where no view was found that could ask."""
    headers.never_compress()
    g.visitor = _visitor()
    _settle_language()


def find_own_shop() -> None:
    """For the navigation of a page that is about no shop: the one that its address names, if it is theirs, or any."""
    here = visitor_or_none()
    if "shop" in g or here is None or not here.complete or must_enrol(here):
        return
    g.shops = people.shops_of(reading_db(), here.person)
    named = f"{request.path}/".split("/")[2]
    own = sorted((Shop(*each) for each in g.shops), key=lambda shop: shop.id != named)
    if own:
        g.shop = own[0]


def look_again() -> None:
    """Forget what this request has read before it changed something: the page shows how things stand now."""
    db().rollback()
    reading_db().rollback()


def visitor_or_none() -> Visitor | None:
    return cast(Visitor | None, g.get("visitor"))


def visitor() -> Visitor:
    return cast(Visitor, g.visitor)


def shop() -> Shop:
    return cast(Shop, g.shop)


def errand() -> Errand:
    """For this shop, by whoever is here, now."""
    return Errand(shop().id, visitor().actor, now())


def before() -> str:
    """What the cookie of a browser holds that has not signed in: nobody else can know it, nor put it there."""
    return str(cookie[current_app.config["WTF_CSRF_FIELD_NAME"]])


def browser() -> Browser:
    return Browser(address(), request.user_agent.string)


def address() -> str:
    return request.remote_addr or ""


def let_in(here: Visitor, token: str) -> None:
    """A new sign-in: nothing that the cookie held before lives on, so that nobody can have put it there."""
    chosen = cookie.get(LANGUAGE)
    cookie.clear()
    cookie[TOKEN] = token
    if chosen:
        cookie[LANGUAGE] = chosen
    g.visitor = here


def let_out() -> None:
    chosen = cookie.get(LANGUAGE)
    cookie.clear()
    if chosen:
        cookie[LANGUAGE] = chosen


def proves_now(said: str) -> bool:
    """Whether the visitor has shown just now who they are, or does by this password or code. Raises TooManyAttempts."""
    here = visitor()
    if here.proven(now()):
        return True
    try:
        token = sign_ins.prove(db(), parts().vault, here, said, now()) if said else None
    except TooManyAttempts:
        deny(Denied.PROOF)
        raise
    if token:
        go_on_as(token)
    else:
        deny(Denied.PROOF)
    return token is not None


def deny(what: Denied, *, email: str | None = None, needed: May | None = None) -> None:
    """For the audit log: the visitor was denied something or, before there is one, whoever says to be `email`."""
    whose = visitor().person.email if email is None else sign_ins.normal_email(email)
    denying.tell(Denial(what, whose, address(), needed))


def go_on_as(token: str) -> None:
    """The sign-in has a new name since its person has shown who they are."""
    cookie[TOKEN] = token
