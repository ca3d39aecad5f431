"""What every form of ours is, and the shopper's."""

from typing import Any

from flask import request
from flask_wtf import FlaskForm
from wtforms import IntegerField, StringField
from wtforms.validators import AnyOf, InputRequired, Optional

from checkout.domain.wallets import WALLETS

LONGEST = 18  # digits


class Form(FlaskForm):
    """What a browser sends as a form. Flask-WTF would read JSON too, of whatever shape.

    Without a CSRF token. Shoppers need none: their address is unguessable, no cookie is set, and foreign origins are
    refused. At the back office the guard has checked it before a view runs.
    """

    class Meta:
        csrf = False

        def wrap_formdata(self, _form: FlaskForm, _formdata: object) -> Any:
            return request.form or None


class ChooseWalletForm(Form):
    wallet = StringField(validators=[InputRequired(), AnyOf(tuple(WALLETS))])
    # The shopper's own word about where the wallet is, over anything that we believe of the device.
    way = StringField(validators=[Optional(), AnyOf(("open", "scan"))])


class WholeNumber(IntegerField):
    """Of at most 18 digits, as a column holds: the field's own takes thousands, and NumberRange fails at them."""

    def process_formdata(self, valuelist: Any) -> None:
        if valuelist and len(valuelist[0].strip()) > LONGEST:
            raise ValueError("more digits than any number of ours has")
        super().process_formdata(valuelist)
