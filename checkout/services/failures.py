"""Why an attempt failed, in the few words that a page has a sentence for."""

from checkout.gateway.codes import Class, look_up

# fmt: off
_BY_CODE = {
    "1201": "balance", "2004": "balance",
    "1118": "risk", "1294": "risk",
    "1142": "closed", "1263": "closed", "1264": "closed", "2007": "closed",
    "1181": "expired",
    "1205": "busy", "1204": "busy", "1296": "busy", "1297": "busy", "1147": "busy",
}
_BY_CLASS = {Class.RETRY: "unavailable", Class.CONF: "unavailable"}
# fmt: on


def reason_for(code: str) -> str:
    """The reason word for a gateway code; `refused` when it says no more than no."""
    return _BY_CODE.get(code) or _BY_CLASS.get(look_up(code).klass, "refused")
