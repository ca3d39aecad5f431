"""Settings of a shop: its people and the log of what was done. Further pages stand beside these."""

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectChoice, SelectField, StringField
from wtforms.validators import InputRequired, Length

from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.roles import May, StaffRole
from checkout.services import api_keys, invitations, people, sign_ins
from checkout.services.people import Invited
from checkout.store import office_queries
from checkout.web.back_office import guard
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.context import db, now, parts, reading_db

bp = Blueprint("settings", __name__, url_prefix="/<shop_id>/settings")

ROWS = 100
ROLES = [SelectChoice(role.value) for role in StaffRole]

# The pages of the settings: what one needs, the page, what it is called.
PAGES = (
    (May.SHOP, "office.settings.start.show", "Getting started"),
    (May.SHOP, "office.settings.shop.show", "Shop"),
    (May.BRANDING, "office.settings.branding.show", "Branding"),
    (May.ENDPOINTS, "office.settings.endpoints.listing", "Webhooks"),
    (May.KEYS, "office.settings.keys.listing", "API keys"),
    (May.PEOPLE, "office.settings.staff", "People"),
    (May.READ_LOG, "office.settings.log", "Log"),
)


class PersonForm(ProofForm):
    email = StringField(validators=[InputRequired(), Length(max=254)])
    role = SelectField(choices=ROLES)


class RoleForm(ProofForm):
    role = SelectField(choices=[*ROLES, SelectChoice("")])


def tabs() -> list[tuple[str, str, bool]]:
    """Address, name, whether we are there."""
    shop = guard.shop()
    return [
        (url_for(endpoint, shop_id=shop.id), name, _are_at(endpoint))
        for what, endpoint, name in PAGES
        if shop.may(what)
    ]


def _are_at(endpoint: str) -> bool:
    """Also when a form was sent there, or a page below it is shown."""
    home, blueprint = "office.settings", endpoint.rpartition(".")[0]
    return endpoint == request.endpoint or (blueprint == request.blueprint and blueprint != home)


@bp.get("")
@needs(May.READ_LOG)
def log() -> ResponseReturnValue:
    """What was done, newest first."""
    given = request.args.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 18 else None
    entries = office_queries.log_entries(reading_db(), guard.shop().id, before=before, limit=ROWS + 1)
    invited = invitations.waiting(reading_db(), guard.shop().id)
    known = [person for person, _ in (*people.people_of(reading_db(), guard.shop().id), *invited)]
    return page(
        "office/log.html",
        tabs=tabs(),
        entries=entries[:ROWS],
        names={f"person/{person.id}": person.email for person in known},
        keys={key.id: f"{key.name} …{key.hint or key.id}" for key in api_keys.keys_of(reading_db(), guard.shop().id)},
        before=entries[ROWS - 1].id if len(entries) > ROWS else None,
    )


@bp.get("/people")
@needs(May.PEOPLE)
def staff() -> ResponseReturnValue:
    return _staff()


@bp.post("/people")
@needs(May.PEOPLE)
def invite() -> ResponseReturnValue:
    """Makes a link, also for whom we know. It is shown once, for the owner to hand over: we send no mail."""
    form = PersonForm()
    if not form.validate_on_submit():
        return _staff(422, problem="email")
    if not guard.proves_now(form.proof.data or ""):
        return _staff(403, problem="proof", typed=form.email.data)
    actor, role = guard.visitor().actor, StaffRole(form.role.data)
    known = {person.email for person, _ in people.people_of(reading_db(), guard.shop().id)}
    if sign_ins.normal_email(form.email.data) in known:
        return _staff(409, problem="here", typed=form.email.data)
    try:
        invited = people.add_person(db(), guard.shop().id, form.email.data, role, actor=actor, now=now())
    except Invalid:
        return _staff(422, problem="email", typed=form.email.data)
    return _handed_over(invited)


@bp.post("/people/<person_id>/role")
@needs(May.PEOPLE)
def change_role(person_id: str) -> ResponseReturnValue:
    form = RoleForm()
    if not form.validate_on_submit():
        abort(400)
    people.person_of(reading_db(), guard.shop().id, person_id)
    if not guard.proves_now(form.proof.data or ""):
        return _staff(403, problem="proof")
    role = StaffRole(form.role.data) if form.role.data else None
    try:
        people.set_role(db(), guard.shop().id, person_id, role, actor=guard.visitor().actor, now=now())
    except Refused:
        db().rollback()
        return _staff(409, problem="last_owner")
    flash("changed")
    return redirect(url_for(".staff", shop_id=guard.shop().id), 303)


@bp.post("/people/<person_id>/invitation")
@needs(May.PEOPLE)
def invite_again(person_id: str) -> ResponseReturnValue:
    """Another link for somebody who has not accepted yet."""
    form, actor = ProofForm(), guard.visitor().actor
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _staff(403, problem="proof")
    try:
        return _handed_over(people.invite_again(db(), guard.shop().id, person_id, actor=actor, now=now()))
    except NotFound:
        return _staff(409, problem="accepted")


@bp.post("/people/<person_id>/invitation/remove")
@needs(May.PEOPLE)
def withdraw(person_id: str) -> ResponseReturnValue:
    form, actor = ProofForm(), guard.visitor().actor
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _staff(403, problem="proof")
    try:
        people.withdraw(db(), guard.shop().id, person_id, actor=actor, now=now())
    except NotFound:
        return _staff(409, problem="accepted")
    flash("withdrawn")
    return redirect(url_for(".staff", shop_id=guard.shop().id), 303)


def _handed_over(invited: Invited) -> ResponseReturnValue:
    if invited.token is None:  # another owner was quicker, and they have accepted
        return _staff(409, problem="here")
    path = url_for("office.invitations.show", token=invited.token)
    return _staff(link=f"{parts().config.PUBLIC_URL}{path}", invited=invited.person.email)


def _staff(
    status: int = 200, *, problem: str = "", typed: str | None = "", link: str = "", invited: str = ""
) -> ResponseReturnValue:
    guard.look_again()
    return page(
        "office/people.html",
        status=status,
        tabs=tabs(),
        staff=people.people_of(reading_db(), guard.shop().id),
        waiting=invitations.waiting(reading_db(), guard.shop().id),
        moment=now(),
        roles=[role.value for role in StaffRole],
        problem=problem,
        typed=typed,
        link=link,
        invited=invited,
    )
