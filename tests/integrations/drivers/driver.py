"""A shop in Python, by wire: one JSON command a line comes in, one answer goes out."""

import base64
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).parents[3] / "integrations/python/sampan.py"
spec = importlib.util.spec_from_file_location("sampan", CLIENT)
assert spec
assert spec.loader
sampan: Any = importlib.util.module_from_spec(spec)
sys.modules["sampan"] = sampan
spec.loader.exec_module(sampan)
api = sampan.Sampan(os.environ["SAMPAN"], os.environ["SK"])
secret = os.environ["WHSEC"]

# What each word of the tests is in this language. `a` holds the command's arguments.
DOES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "create": lambda a: api.create_session(**a["order"], idempotency_key=a.get("key")),
    "get": lambda a: api.get_session(a["id"]),
    "list": lambda a: list(api.list_sessions(**a["filters"])),
    "cancel": lambda a: api.cancel_session(a["id"]),
    "left": lambda a: sampan.amount_left(a["session"]),
    "refund": lambda a: api.refund(a["id"], idempotency_key=a["key"], **a["wish"]),
    "get_refund": lambda a: api.get_refund(a["id"]),
    "events": lambda a: list(api.list_events(**a["filters"])),
    "redeliver": lambda a: api.redeliver(a["id"]),
    "webhook": lambda a: sampan.verify_webhook(base64.b64decode(a["body"]), a["headers"], secret, now=a.get("now")),
    "return": lambda a: sampan.verify_return(a["url"], secret, now=a.get("now")),
}


def answer(command: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": DOES[command["do"]](command)}
    except sampan.ApiError as error:
        return {"error": "api", "status": error.status, "detail": error.detail, "errors": error.errors,
                "request": error.request_id, "said": str(error)}  # fmt: skip
    except sampan.NotAuthentic as error:
        return {"error": "forged", "said": str(error)}
    except sampan.Unreachable as error:
        return {"error": "unreachable", "said": str(error)}


for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
    sys.stdout.flush()
