"""The second process: enquiries, expiry and webhooks, one small step at a time, until SIGTERM."""

import signal

from app import create_app
from checkout.background import Worker
from checkout.web.context import parts_of


def main() -> None:
    worker = Worker(parts_of(create_app()))
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: worker.ask_to_stop())
    worker.start()
    worker.wait()
    worker.stop()


if __name__ == "__main__":
    main()
