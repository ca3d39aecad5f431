"""Settings: how a shop's checkout looks, shown in every state before it is saved, and which sites may embed it."""

import base64
import binascii
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import Length

from checkout.domain.branding import Brand
from checkout.domain.errors import Invalid, PreconditionFailed
from checkout.domain.logos import MOST_READ, Logo
from checkout.domain.roles import May
from checkout.services import branding
from checkout.web.back_office import guard, look, previews
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.settings import tabs
from checkout.web.context import db, parts

bp = Blueprint("branding", __name__, url_prefix="/branding")

LONGEST = 200  # characters that are taken for a name or a colour, to be shown again whatever is wrong with them
LOGO_BYTES = 4 * 1024 * 1024  # of a form: a logo that is far too large is told so, and the rest of the form stays


class OriginsForm(ProofForm):
    """`origins`: one a line."""

    origins = StringField(validators=[Length(max=6000)])
    as_of = StringField(validators=[Length(max=64)])


@dataclass(frozen=True)
class Typed:
    """What stands in the form of the looks. `kept` is a new logo that an answer has carried back, as base64."""

    name: str
    banner: str
    accent: str
    kept: str
    no_logo: bool
    one_code: bool
    as_of: str

    def brand(self, logo: bytes) -> dict[str, Any]:
        """As the service is told; without a word about the logo it stays what it is."""
        said: dict[str, Any] = {"name": self.name, "banner": self.banner, "accent": self.accent}
        return said | ({"logo": logo} if logo or self.no_logo else {})


def _saved() -> Typed:
    merchant = guard.shop().merchant
    brand = Brand.read(merchant.branding)
    return Typed(
        name=brand.name,
        banner=brand.banner,
        accent=brand.accent,
        kept="",
        no_logo=False,
        one_code=merchant.both_wallets_code,
        as_of=branding.looks_tag(merchant),
    )


def _typed() -> Typed:
    def said(name: str) -> str:
        return request.form.get(name, "")[:LONGEST]

    return Typed(
        name=said("name"),
        banner=said("banner"),
        accent=said("accent"),
        kept=request.form.get("kept", ""),
        no_logo="no_logo" in request.form,
        one_code="one_code" in request.form,
        as_of=said("as_of"),
    )


def _logo(typed: Typed) -> bytes:
    """The file that was chosen now or, failing that, the one that was chosen before something else went wrong."""
    chosen = b""
    if file := request.files.get("logo"):
        chosen = file.read(MOST_READ + 1)
        file.close()
    return b"" if typed.no_logo else chosen or _decoded(typed.kept)


def _decoded(kept: str) -> bytes:
    try:
        return base64.b64decode(kept[: 2 * MOST_READ], validate=True)
    except (binascii.Error, ValueError):
        return b"?"  # no picture, and the answer says so


def _sorted_out(typed: Typed) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What can be worn, and what is wrong with the rest: fields, each with a word on why."""
    good, mistakes = branding.sort_out(typed.brand(_logo(typed)))
    return good, [(name, getattr(mistake, "why", "")) for name, mistake in mistakes.items()]


@bp.get("")
@needs(May.BRANDING)
def show() -> ResponseReturnValue:
    return _show(_saved())


@bp.post("")
@needs(May.BRANDING, takes=LOGO_BYTES)
def change() -> ResponseReturnValue:
    """Save the looks. No proof: they move no money and open no door."""
    typed = _typed()
    good, problems = _sorted_out(typed)
    again = partial(_show, _with_kept(typed, good))
    if problems:
        return again(422, problems=problems)
    try:
        branding.change_looks(db(), guard.errand(), good, one_code=typed.one_code, as_of=typed.as_of)
    except PreconditionFailed:
        guard.look_again()
        return _show(replace(_with_kept(typed, good), as_of=_saved().as_of), 409, problems=[("meanwhile", "")])
    return _changed()


def _changed() -> ResponseReturnValue:
    flash("changed")
    return redirect(url_for(".show", shop_id=guard.shop().id), 303)


def _with_kept(typed: Typed, good: dict[str, Any]) -> Typed:
    """Browsers fill in no file again: a good new logo travels in the form."""
    logo: Logo | None = good.get("logo")
    return replace(typed, kept=logo.png if logo else "")


@bp.get("/preview")
@needs(May.BRANDING)
def preview() -> ResponseReturnValue:
    """The looks as they are saved."""
    merchant = guard.shop().merchant
    brand = Brand.read(merchant.branding)
    return previews.sheet(merchant, brand, one_code=merchant.both_wallets_code, problems=[])


@bp.post("/preview", endpoint="preview_typed")
@needs(May.BRANDING, takes=LOGO_BYTES)
def preview_typed() -> ResponseReturnValue:
    """What was typed, before it is saved; where it cannot be worn, what is saved. Changes nothing."""
    typed, merchant = _typed(), guard.shop().merchant
    good, problems = _sorted_out(typed)
    brand = replace(Brand.read(merchant.branding), **good)
    return previews.sheet(merchant, brand, one_code=typed.one_code, problems=problems)


@bp.post("/origins")
@needs(May.BRANDING)
def change_origins() -> ResponseReturnValue:
    """Which sites may show the checkout in a frame: a door, so whoever opens it shows who they are."""
    form = OriginsForm()
    said = form.origins.data or ""
    if not form.validate_on_submit():
        return _show(_saved(), 422, origins=said, problems=[("origin", "")])
    if not guard.proves_now(form.proof.data or ""):
        return _show(_saved(), 403, origins=said, problems=[("proof", "")])
    try:
        branding.set_embed_origins(db(), parts().terms, guard.errand(), said.split(), as_of=form.as_of.data or "")
    except Invalid:
        return _show(_saved(), 422, origins=said, problems=[("origin", "")])
    except PreconditionFailed:
        return _show(_saved(), 409, origins=said, problems=[("meanwhile", "")])
    return _changed()


def _show(
    typed: Typed, status: int = 200, *, origins: str | None = None, problems: list[tuple[str, str]] | None = None
) -> ResponseReturnValue:
    guard.look_again()
    merchant = guard.shop().merchant
    logo = Brand.read(merchant.branding).logo
    response = page(
        "office/branding.html",
        status=status,
        tabs=tabs(),
        typed=asdict(typed),
        logo=logo.href if logo else "",
        origins="\n".join(merchant.embed_origins) if origins is None else origins,
        origins_as_of=branding.origins_tag(merchant),
        problems=problems or [],
    )
    response.headers["Content-Security-Policy"] = f"{look.POLICY}; frame-src 'self'"
    return response
