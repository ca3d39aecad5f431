"""What a hostile test can do to a world: act in the middle of another's transaction, edit the gateway's words."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import requests
from sqlalchemy import event
from werkzeug.wrappers import Request, Response

from tests.stories.cast import World
from tests.wsgi import WsgiAdapter


@contextmanager
def meanwhile(
    world: World, statement: str, act: Callable[[], object], patience: float = 1
) -> Iterator[list[BaseException]]:
    """The first time that this thread is about to execute such a statement, let another thread act.

    It is waited for until it ends, or for so many seconds: then it waits for a lock of ours, and we go on.
    """
    here, raised = threading.get_ident(), []
    acting: list[threading.Thread] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # handed to the test
            raised.append(error)

    def before(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not acting and threading.get_ident() == here and text.lstrip().upper().startswith(statement.upper()):
            acting.append(threading.Thread(target=run))
            acting[0].start()
            acting[0].join(patience)

    event.listen(world.parts.engine, "before_cursor_execute", before)
    try:
        yield raised
    finally:
        event.remove(world.parts.engine, "before_cursor_execute", before)
        for thread in acting:
            thread.join(20)
    assert acting, f"nothing executed {statement}"


def gateway_answers(world: World, path: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """From now on the gateway's answers to calls of this path are edited on their way to us."""

    def between(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != path:
            return world.sandbox(environ, start_response)
        answer = Response.from_app(world.sandbox, environ)
        answer.set_data(json.dumps(edit(json.loads(answer.get_data()))))
        return answer(environ, start_response)

    mount(world, between)


def gateway_refuses(
    world: World, path: str, code: str, *, times: int | None = None, takes: timedelta = timedelta(0)
) -> None:
    """The gateway answers the next calls of this path, or all (None), with this code, and does nothing."""
    left = [times]

    def between(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != path or left == [0]:
            return world.sandbox(environ, start_response)
        if left[0] is not None:
            left[0] -= 1
        world.clock.now += takes
        said = json.dumps({"respcd": code, "resperr": "no"})
        return Response(said, content_type="application/json")(environ, start_response)

    mount(world, between)


def gateway_hooks(world: World, path: str, act: Callable[[Request], object]) -> None:
    """From now on something happens after the gateway did what a call of this path asks, before it answers."""

    def between(environ: Any, start_response: Any) -> Any:
        answer = Response.from_app(world.sandbox, environ)
        if environ["PATH_INFO"] == path:
            act(Request(environ))
        return answer(environ, start_response)

    mount(world, between)


def mount(world: World, app: Any) -> None:
    http: requests.Session = world.parts.gateways._transport._http
    for scheme in ("http://", "https://"):
        http.mount(scheme, WsgiAdapter(app))
