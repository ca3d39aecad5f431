"""How a call is written: curl, Python, PHP and JavaScript, from the same row of the table and the same example."""

import json
from collections.abc import Mapping
from typing import Any

from checkout.web.openapi.operations import Operation

LANGUAGES: Mapping[str, str] = {"curl": "curl", "python": "Python", "php": "PHP", "javascript": "JavaScript"}
KEY = "sk_…"


def samples(operation: Operation, example: Mapping[str, Any], place: str, key: str = KEY) -> dict[str, str]:
    """One program each. `place` is where the service stands; whoever runs them puts in a key of their own."""
    url = place + example.get("path", operation.rule)
    headers = {} if operation.public else {"Authorization": f"Bearer {key}"}
    body = example.get("request")
    if body is not None:
        headers["Content-Type"] = "application/json"
    if operation.key:
        headers["Idempotency-Key"] = f"{operation.id}-1"
    makers = {"curl": _curl, "python": _python, "php": _php, "javascript": _javascript}
    return {language: make(operation.method, url, headers, body) for language, make in makers.items()}


def _curl(method: str, url: str, headers: Mapping[str, str], body: Any) -> str:
    lines = [f'curl -X {method} "{url}"' if method != "GET" else f'curl -g "{url}"']
    lines += [f'-H "{name}: {value}"' for name, value in headers.items()]
    if body is not None:
        text = _written(body).replace("'", "'\\''")
        lines.append(f"-d '{text}'")
    return " \\\n  ".join(lines)


def _python(method: str, url: str, headers: Mapping[str, str], body: Any) -> str:
    lines = ["import requests", "", "answer = requests.request(", f'    "{method}",', f'    "{url}",', "    headers={"]
    lines += [f'        "{name}": "{value}",' for name, value in headers.items() if name != "Content-Type"]
    lines.append("    },")
    if body is not None:
        lines.append(f"    json={_written(body, indent=4)},")
    return "\n".join([*lines, "    timeout=30,", ")", "answer.raise_for_status()", "print(answer.text)"])


def _php(method: str, url: str, headers: Mapping[str, str], body: Any) -> str:
    lines = ["<?php", f"$call = curl_init('{url}');", "curl_setopt_array($call, ["]
    lines += [f"    CURLOPT_CUSTOMREQUEST => '{method}',", "    CURLOPT_RETURNTRANSFER => true,"]
    lines.append("    CURLOPT_HTTPHEADER => [")
    lines += [f"        '{name}: {value}'," for name, value in headers.items()]
    lines.append("    ],")
    if body is not None:
        text = _written(body).replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"    CURLOPT_POSTFIELDS => '{text}',")
    ending = ["]);", "$answer = curl_exec($call);", "if (curl_getinfo($call, CURLINFO_HTTP_CODE) >= 300) {"]
    return "\n".join([*lines, *ending, "    throw new RuntimeException($answer);", "}", "echo $answer;"])


def _javascript(method: str, url: str, headers: Mapping[str, str], body: Any) -> str:
    lines = [f'const answer = await fetch("{url}", {{', f'  method: "{method}",', "  headers: {"]
    lines += [f'    "{name}": "{value}",' for name, value in headers.items()]
    lines.append("  },")
    if body is not None:
        lines.append(f"  body: JSON.stringify({_written(body, indent=2)}),")
    ending = ["});", "if (!answer.ok) throw new Error(await answer.text());", "console.log(await answer.text());"]
    return "\n".join([*lines, *ending])


def _written(body: Any, indent: int = 0) -> str:
    """JSON, a field a line; none of our examples holds a word that Python would write in another way."""
    return json.dumps(body, ensure_ascii=False, indent=2).replace("\n", "\n" + " " * indent)
