"""`python -m tests.contract --save`: tells the story of the examples once more and keeps what was answered."""

import json
import sys
import tempfile

from checkout.web.openapi.document import EXAMPLES
from tests.contract.examples import collect
from tests.servers import HttpServer
from tests.stories.cast import Inbox, World
from tests.stories.conftest import migrate


def main() -> None:
    from werkzeug.wrappers import Request, Response

    inboxes: dict[str, Inbox] = {}

    def router(environ, start_response):  # type: ignore[no-untyped-def]
        return (inboxes.get(Request(environ).path) or Response(status=404))(environ, start_response)

    with tempfile.TemporaryDirectory() as folder, HttpServer(router) as hooks:
        url = f"sqlite:///{folder}/books.db"
        migrate(url)
        world = World(url, hooks, inboxes, LOG_LEVEL="ERROR")
        told = json.dumps(collect(world), ensure_ascii=False, indent=1)
        world.close()
    if "--save" in sys.argv[1:]:
        EXAMPLES.write_text(told + "\n", "utf-8")
    sys.stdout.write(told + "\n")


if __name__ == "__main__":
    main()
