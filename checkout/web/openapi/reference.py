"""The OpenAPI document as a person reads it: chapters, calls, fields, each in a few words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkout.web.openapi.document import document, examples, path_of
from checkout.web.openapi.operations import PROBLEMS, Operation
from checkout.web.openapi.samples import samples
from checkout.web.openapi.table import OPERATIONS


@dataclass(frozen=True)
class Row:
    """One field, parameter, header or status."""

    name: str
    kind: str
    required: bool
    says: str


@dataclass(frozen=True)
class Call:
    """One operation, ready to be drawn."""

    id: str
    method: str
    path: str
    summary: str
    says: str
    status: int
    parameters: list[Row]
    headers: list[Row]
    body: list[Row]
    problems: list[Row]
    samples: Mapping[str, str]
    answer: str


@dataclass(frozen=True)
class Thing:
    """One schema of the document."""

    name: str
    says: str
    rows: list[Row]


def reference(public_url: str) -> dict[str, Any]:
    """Everything that templates/docs/reference.html draws."""
    made = document(public_url)
    chapters: dict[str, list[Call]] = {}
    for operation in OPERATIONS:
        chapters.setdefault(operation.tag, []).append(_call(operation, made, public_url))
    heard = examples().get("webhooks", {}).get("checkout_session.paid")
    bodies = {operation.body.__name__ for operation in OPERATIONS if operation.body}
    return {
        "introduction": made["info"]["description"],
        "chapters": chapters,
        "events": [Row(name, "", False, hook["post"]["description"]) for name, hook in made["webhooks"].items()],
        "heard": _pretty(heard) if heard else "",
        "objects": [
            Thing(name, schema.get("description", ""), _rows(schema))
            for name, schema in made["components"]["schemas"].items()
            if name not in bodies and "properties" in schema
        ],
    }


def _call(operation: Operation, made: dict[str, Any], public_url: str) -> Call:
    told = made["paths"][path_of(operation.rule)][operation.method.lower()]
    rows = [(each["in"], _row(each["name"], each, each.get("required", False))) for each in told["parameters"]]
    example = examples().get(operation.id, {})
    return Call(
        id=operation.id,
        method=operation.method,
        path=path_of(operation.rule),
        summary=operation.summary,
        says=operation.description,
        status=operation.status,
        parameters=[row for place, row in rows if place != "header"],
        headers=[row for place, row in rows if place == "header"],
        body=_rows(made["components"]["schemas"][operation.body.__name__]) if operation.body else [],
        problems=[Row(str(status), "", False, PROBLEMS[status]) for status in operation.statuses],
        samples=samples(operation, example, public_url),
        answer=_pretty(example["answer"]) if "answer" in example else "",
    )


def _rows(schema: Mapping[str, Any]) -> list[Row]:
    required = schema.get("required", [])
    return [_row(name, told, name in required) for name, told in schema["properties"].items()]


def _row(name: str, told: Mapping[str, Any], required: bool) -> Row:
    return Row(name, kind_of(told.get("schema", told)), required, _says(told))


def _says(told: Mapping[str, Any]) -> str:
    schema = told.get("schema", told)
    words = [told.get("description", "")]
    listed = next((part["enum"] for part in [schema, *schema.get("anyOf", [])] if "enum" in part), ())
    if listed:
        words.append("One of " + ", ".join(f"`{value}`" for value in listed) + ".")
    if schema.get("default") not in (None, "", [], {}):
        words.append(f"Default `{schema['default']}`.")
    return " ".join(filter(None, words))


def kind_of(schema: Mapping[str, Any]) -> str:
    """In a word or two: `text, 1 to 128 characters`, `list of Item`, `moment or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind_of(part) for part in schema["anyOf"])
    if "const" in schema:
        return f"“{schema['const']}”"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if kind == "string":
        return "moment" if schema.get("format") == "date-time" else f"text{_between(schema, 'Length', ' characters')}"
    if kind == "integer":
        return f"whole number{_between(schema, 'imum', '')}"
    return {"boolean": "true or false"}.get(kind, str(kind))


def _between(schema: Mapping[str, Any], what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if most is None:
        return ""
    return f", {least} to {most}{unit}" if least is not None else f", at most {most}{unit}"


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
