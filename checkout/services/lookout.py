"""How the idle threads of one kind share one lookout, so that the database is asked for one of them only."""

import threading
import time

IDLE_SECONDS = 0.5


class Lookout:
    """One of the idle threads keeps watch, and the others wait for their turn.

    Who keeps watch looks once in half a second, or as soon as another has found work: one piece of work is
    seldom alone, and a burst gets all threads within milliseconds. Work that was found and came to nothing
    hurries nobody until some has been done: a row that nobody can take must not make the threads race.
    `phase`, 0 to 1, is the part of that half second at which it looks, so that two kinds can look by turns.
    """

    def __init__(self, phase: float = 0.0, seconds: float = IDLE_SECONDS) -> None:
        self._phase, self._seconds = phase, seconds
        self._turn = threading.Lock()
        self._hurried = threading.Event()
        self._closed = False
        self._in_vain = False
        self._mine = threading.local()

    def hurry(self) -> None:
        """This thread has found work: let the next one look at once."""
        if not self._in_vain:
            self._mine.hurried = True
            self._hurried.set()

    def worked(self) -> None:
        """What this thread had found was work."""
        self._mine.hurried = self._in_vain = False

    def rest(self) -> None:
        """There was nothing to do: come back when it is time to look again."""
        if getattr(self._mine, "hurried", False):
            self._mine.hurried, self._in_vain = False, True
        with self._turn:
            if not self._closed:
                self._hurried.wait(self.until_its_turn(time.monotonic()))
                self._hurried.clear()

    def until_its_turn(self, now: float) -> float:
        """Seconds until it is time to look, if nobody hurries."""
        return self._seconds * (1 - (now / self._seconds - self._phase) % 1)

    def close(self) -> None:
        """Nobody rests any more."""
        self._closed = True
        self._hurried.set()
