"""How an operation of the API is described; a test fails when an address below /v1 has none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
MOMENT: Schema = {"type": "string", "format": "date-time"}

# What each status means, whatever was asked.
PROBLEMS = {
    400: "The request is wrong; `errors` names every field.",
    401: "The API key is missing or not ours.",
    403: "This API key may not do that.",
    404: "There is no such thing, or it belongs to another merchant.",
    409: "With `Retry-After` the first request with this key still runs; without it `detail` says what is against it.",
    412: "What you believe is no longer so; read the session again.",
    413: "The body has more than 65,536 characters, or 512 KiB.",
    415: "The body is not `application/json`.",
    422: "The request makes sense, but not for what is there.",
    429: "Too many calls; wait as long as `Retry-After` says.",
    503: "The service is busy or being restarted; repeat after `Retry-After`.",
}
ALWAYS = (400, 429, 503)


@dataclass(frozen=True)
class Parameter:
    """One parameter of the query. `deep`: an object, written `metadata[key]=value`."""

    name: str
    description: str
    schema: Schema = field(default_factory=lambda: TEXT)
    example: Any = None
    deep: bool = False


@dataclass(frozen=True)
class Operation:
    """One call. `rule` is Flask's own, so that the two tables can be compared; `answer` is what success holds."""

    method: str
    rule: str
    id: str
    tag: str
    summary: str
    description: str
    answer: type[BaseModel] | None
    status: int = 200
    body: type[BaseModel] | None = None
    body_needed: bool = True
    key: str = ""  # the Idempotency-Key: "", "optional" or "required"
    query: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    public: bool = False
    also: Mapping[int, str] = field(default_factory=dict)  # other answers without a body, such as 304

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every problem that it may answer."""
        found = {*ALWAYS, *self.problems} | (set() if self.public else {401, 403})
        if self.body:
            found |= {413, 415}
        if self.key:
            found |= {409, 422}
        if "<" in self.rule:
            found.add(404)
        return tuple(sorted(found))


PAGE = (
    Parameter("limit", "How many rows, 1 to 100.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
    Parameter("cursor", "The `next_cursor` of an earlier answer; pages stay in step when new rows arrive."),
)
