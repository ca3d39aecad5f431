"""The shopper's forms. No CSRF token: the address is unguessable, no cookie is set, and foreign origins are refused."""

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import InputRequired, Length


class ShopperForm(FlaskForm):
    class Meta:
        csrf = False


class ChooseWalletForm(ShopperForm):
    wallet = StringField(validators=[InputRequired(), Length(max=20)])
