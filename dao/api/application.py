"""Creates the web application: routes, middleware, OpenAPI description, and the page."""

from collections.abc import Mapping
from functools import cache, partial

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from dao.api.dependencies import Dependencies
from dao.api.first_view import FirstView
from dao.api.http import problems, static_files
from dao.api.http.middleware import BASE, RequestLimits, RequestMiddleware
from dao.api.http.openapi import build_openapi
from dao.api.http.problems import Problem
from dao.api.http.request_log import log_request
from dao.api.http.static_files import Asset
from dao.api.routes import (
    cases,
    claims,
    decisions,
    drafts,
    feed,
    members,
    overview,
    prepare,
    relay,
    service,
    sign_in,
    tasks,
)

_ABOUT = """\
Read what the DAO trains, decides and pays; draft proposals; sign in with a wallet and have your signatures relayed
without gas. Amounts are wei as decimal text, addresses have their checksum, times are Unix seconds. Errors are
application/problem+json with the contract's own error name. Lists come in pages: pass `next` as `cursor`.
"""
_FIRST = ("/", "/index.html")  # the page itself
ROUTES = (service, overview, tasks, cases, members, decisions, feed, sign_in, drafts, prepare, claims, relay)


def create_app(deps: Dependencies, assets: Mapping[str, Asset] | None = None) -> FastAPI:
    """Create the application over the parts of an API; `assets` are the page's files."""
    app = FastAPI(
        title="Commonweight",
        version="1",
        description=_ABOUT,
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name_operation,
    )
    app.state.deps = deps
    problems.install_handlers(app)
    for routes in ROUTES:
        app.include_router(routes.router, prefix=BASE)
    app.openapi = cache(partial(build_openapi, app))  # type: ignore[method-assign]
    files = static_files.load() if assets is None else assets
    first = FirstView(deps, files["/"]) if "/" in files else None

    @app.get("/{_path:path}", include_in_schema=False)
    async def serve_page(request: Request, _path: str) -> Response:
        path = request.url.path
        asset = await first.get() if first is not None and path in _FIRST else static_files.find(files, path)
        if asset is None:
            raise Problem(404, "not-found", "there is nothing at this address")
        return static_files.respond(asset, request)

    rates = deps.settings.api
    limits = RequestLimits(
        deps.make_limiter(rates.reads_per_second),
        deps.make_limiter(rates.writes_per_second),
        deps.read_load,
        deps.write_load,
    )
    app.add_middleware(
        RequestMiddleware,
        limits=limits,
        version=lambda: deps.version,
        trusted=frozenset(rates.trusted_proxies),
        observe=[deps.metrics.observe, *([log_request] if rates.request_log else [])],
        secure=deps.secure,
    )
    return app


def _name_operation(route: APIRoute) -> str:
    """Name an operation as its function is named, for generated clients."""
    return route.name
