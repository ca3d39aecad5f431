"""One code for all wallets: whichever app scanned it is asked to pay with its own wallet (decisions/0018)."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from checkout.domain.devices import read_agent
from checkout.domain.stages import Stage
from checkout.web import alipay
from checkout.web.context import parts
from checkout.web.present import present
from checkout.web.shopper import find_page

bp = Blueprint("scanning", __name__)


@bp.get("/q/<session_id>")
def scanned(session_id: str) -> ResponseReturnValue:
    """A form with one button, which a script presses; every other app, and every other state, gets the page.

    This GET picks nothing: link previews and scanners that look ahead fetch it too.
    """
    page = present(find_page(session_id))
    app = read_agent(request.user_agent.string).app
    wallet = next((offer for offer in page.wallets if offer[0] == app), None)
    # Where Alipay may tell us who pays, the page itself asks it: paying then needs no wallet's page at all.
    if wallet is None or page.stage is not Stage.CHOOSE or alipay.has_bridge():
        return redirect(url_for("shopper.show", session_id=session_id), 303)
    return render_template("pay/scanned.html", page=page, assets=parts().assets, wallet=wallet)
