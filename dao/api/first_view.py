"""Puts what the page shows first into the page itself, so that a visit asks once less."""

import asyncio

from dao.api.dependencies import Dependencies
from dao.api.http.problems import Problem
from dao.api.http.static_files import Asset, make_asset
from dao.api.routes.overview import read_overview
from dao.errors import DaoError

_END = b"</body>"
_OPEN, _CLOSE = b'<script type="application/json" id="first">', b"</script>"  # data: no policy lets it run


class FirstView:
    """The page with the overview in it, made once for each version of what that shows."""

    def __init__(self, deps: Dependencies, page: Asset) -> None:
        self._deps = deps
        self._page = page
        self._made: tuple[str, Asset] | None = None
        self._lock = asyncio.Lock()

    async def get(self) -> Asset:
        """Get the page; without the overview before anything was read from the chain."""
        async with self._lock:
            version = self._deps.version
            if self._made is None or self._made[0] != version:
                try:
                    overview = await read_overview(self._deps)
                except (Problem, DaoError):
                    return self._page
                self._made = version, self._embed(overview.model_dump_json().encode())
            return self._made[1]

    def _embed(self, json: bytes) -> Asset:
        data = json.replace(b"<", b"\\u003c")  # no text in it can end the element
        return make_asset("index.html", self._page.plain.replace(_END, _OPEN + data + _CLOSE + _END))
