"""The shopper's forms. No CSRF token: the address is unguessable, no cookie is set, and foreign origins are refused."""

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import AnyOf, InputRequired, Length, Optional


class ShopperForm(FlaskForm):
    class Meta:
        csrf = False


class ChooseWalletForm(ShopperForm):
    wallet = StringField(validators=[InputRequired(), Length(max=20)])
    # The shopper's own word about where the wallet is, over anything that we believe of the device.
    way = StringField(validators=[Optional(), AnyOf(("open", "scan"))])
