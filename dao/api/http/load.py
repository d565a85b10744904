"""Sheds load: more requests than are answered in a second are refused at once, rather than kept in a queue."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dao.api.http.problems import Problem

MAX_WAITING = 100  # requests of a kind whose answer has not begun: some 2 ms of a processor each
_RETRY_SECONDS = 2.0


class LoadShedder:
    """Counts the requests that wait for an answer."""

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._most = most
        self._count = 0

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the app answer a request; Problem 503 where too many wait already."""
        if self._count >= self._most:
            raise Problem(
                503, "busy", "too many requests at once; try again soon", retry_after=_RETRY_SECONDS
            )
        self._count += 1
        is_waiting = True

        def leave() -> None:
            nonlocal is_waiting
            self._count -= is_waiting
            is_waiting = False

        async def send_and_leave(message: Message) -> None:
            leave()
            await send(message)

        try:
            await app(scope, receive, send_and_leave)
        finally:
            leave()
