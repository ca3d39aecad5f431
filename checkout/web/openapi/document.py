"""OpenAPI 3.1, made from the table of operations, the models and the examples."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from checkout.domain.answers import Problem, WebhookMessage
from checkout.web.openapi.news import EVENTS
from checkout.web.openapi.operations import PROBLEMS, Operation, Parameter
from checkout.web.openapi.table import OPERATIONS
from checkout.web.openapi.words import FIELDS

EXAMPLES = Path(__file__).with_name("examples.json")
REF = "#/components/schemas/{model}"
INTRODUCTION = (
    "Sampan is a hosted checkout: your server opens a session, your shopper pays on its page, and a signed webhook "
    "tells your server. Send your API key as `Authorization: Bearer sk_…`, from your server only. Bodies are JSON; "
    "amounts are whole minor units; times are RFC 3339 in UTC. Errors are problem details (RFC 9457) that name every "
    "field at once. Each answer has a `Request-Id`: quote it when you ask for help."
)
HEADERS = {
    "Request-Id": ("Names this call in our logs.", {"type": "string"}),
    "RateLimit-Policy": ("How many calls your key may make: quota `q` in `w` seconds.", {"type": "string"}),
    "RateLimit": ("How many calls are left (`r`), and the seconds until all are back (`t`).", {"type": "string"}),
    "Retry-After": ("Seconds to wait before you repeat the call.", {"type": "string"}),
}
EVERY, COUNTED = ("Request-Id",), ("Request-Id", "RateLimit-Policy", "RateLimit")
LATER = (409, 429, 503)


@cache
def examples() -> Mapping[str, Any]:
    """Requests and answers as really given: `python -m tests.contract --save` writes them, a test keeps them true."""
    return json.loads(EXAMPLES.read_text("utf-8")) if EXAMPLES.exists() else {}


def document(public_url: str) -> dict[str, Any]:
    """The whole description. Pure: the same for everybody who asks this deployment."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sampan", "version": "1", "description": INTRODUCTION},
        "servers": [{"url": public_url}],
        "security": [{"apiKey": []}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": _paths(),
        "webhooks": {kind: _webhook(kind, says) for kind, says in EVENTS.items()},
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "The merchant's API key, `sk_…`."}
            },
            "headers": {name: {"description": says, "schema": kind} for name, (says, kind) in HEADERS.items()},
            "responses": {str(status): _problem(status, says) for status, says in PROBLEMS.items()},
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(path_of(operation.rule), {})[operation.method.lower()] = _operation(operation)
    return paths


def path_of(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": _parameters(operation),
        "responses": {
            str(operation.status): _success(operation),
            **{str(status): {"description": says} for status, says in operation.also.items()},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in operation.statuses},
        },
    }
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_needed,
            "content": {"application/json": _with_example(_ref(operation.body), operation.id, "request")},
        }
    if operation.public:
        described["security"] = []
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"<(?:\w+:)?(\w+)>", operation.rule)
    ]
    found += [_query(parameter) for parameter in operation.query]
    if operation.key:
        says = "Keeps a repeated call from being done twice: any text of your own, one per thing that you want done."
        text = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"}
        required = operation.key == "required"
        found.append(
            {"name": "Idempotency-Key", "in": "header", "required": required, "description": says, "schema": text}
        )
    return found


def _query(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": parameter.name, "in": "query", "description": parameter.description}
    if parameter.deep:
        found |= {"style": "deepObject", "explode": True}
    if parameter.example is not None:
        found["example"] = parameter.example
    return {**found, "schema": dict(parameter.schema)}


def _success(operation: Operation) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in (EVERY if operation.public else COUNTED)}
    if operation.status == 204:
        return {"description": operation.summary, "headers": headers}
    schema = _ref(operation.answer) if operation.answer else {"schema": {"type": "object"}}
    content = {"application/json": _with_example(schema, operation.id, "answer")}
    return {"description": operation.summary, "headers": headers, "content": content}


def _problem(status: int, says: str) -> dict[str, Any]:
    headers = (*EVERY, "Retry-After") if status in LATER else EVERY
    return {
        "description": says,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {"application/problem+json": _with_example(_ref(Problem), "problems", str(status))},
    }


def _webhook(kind: str, says: str) -> dict[str, Any]:
    standard = [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in (
            ("webhook-id", "The event's id; the same when it is sent again."),
            ("webhook-timestamp", "When this try was signed, in Unix seconds."),
            ("webhook-signature", "`v1,` and the signature, for each secret that is in force."),
        )
    ]
    schema = {"allOf": [_ref(WebhookMessage)["schema"], {"properties": {"type": {"const": kind}}}]}
    return {
        "post": {
            "operationId": re.sub(r"\W(\w)", lambda found: found[1].upper(), kind),
            "summary": kind,
            "description": says,
            "parameters": standard,
            "requestBody": {"content": {"application/json": _with_example({"schema": schema}, "webhooks", kind)}},
            "responses": {"2XX": {"description": "Heard. Anything else is sent again later."}},
            "security": [],
        }
    }


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": REF.format(model=model.__name__)}}


def _with_example(media: dict[str, Any], chapter: str, name: str) -> dict[str, Any]:
    example = examples().get(chapter, {}).get(name)
    return media if example is None else {**media, "example": example}


def _schemas() -> dict[str, Any]:
    bodies = [operation.body for operation in OPERATIONS if operation.body]
    answers = [operation.answer for operation in OPERATIONS if operation.answer]
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in dict.fromkeys(bodies)]
    shown: list[type[BaseModel]] = [*answers, Problem, WebhookMessage]
    wanted += [(model, "serialization") for model in dict.fromkeys(shown)]
    _, made = models_json_schema(wanted, ref_template=REF)
    schemas: dict[str, Any] = made["$defs"]
    for schema in schemas.values():
        schema.pop("title", None)
        for told in schema.get("properties", {}).values():
            told.pop("title", None)
    for model in bodies:
        _tell_null(schemas[model.__name__], model)
    for name, fields in FIELDS.items():
        for field, says in fields.items():
            schemas[name]["properties"][field] |= {"description": says}
    return dict(sorted(schemas.items()))


def _tell_null(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Where a body's reader takes null for absent, say so; where it refuses null, too."""
    if hasattr(model, "_null_is_no_value"):
        for name, told in schema["properties"].items():
            schema["properties"][name] = next(part for part in told["anyOf"] if part.get("type") != "null")
    if not hasattr(model, "_null_is_absent"):
        return
    for name, told in schema["properties"].items():
        if name not in schema["required"] and "anyOf" not in told:
            kept = {word: told.pop(word) for word in ("default", "description") if word in told}
            schema["properties"][name] = {"anyOf": [told, {"type": "null"}], **kept}
