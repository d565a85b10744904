"""The web application: routes, what each request passes, the API's description, and the page."""

from collections.abc import Mapping
from functools import cache, partial

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from dao.api.dependencies import Dependencies
from dao.api.http import problems, static_files
from dao.api.http.middleware import BASE, RequestGuard, RequestLimits
from dao.api.http.openapi import describe
from dao.api.http.problems import Problem
from dao.api.http.static_files import Asset
from dao.api.routes import (
    claims,
    decisions,
    drafts,
    feed,
    members,
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
ROUTES = (service, tasks, members, decisions, feed, sign_in, drafts, prepare, claims, relay)


def create_app(services: Dependencies, assets: Mapping[str, Asset] | None = None) -> FastAPI:
    """The application over running services; `assets` are the page's files."""
    app = FastAPI(
        title="Commonweight",
        version="1",
        description=_ABOUT,
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation,
    )
    app.state.services = services
    problems.install(app)
    for routes in ROUTES:
        app.include_router(routes.router, prefix=BASE)
    app.openapi = cache(partial(describe, app))  # type: ignore[method-assign]
    files = static_files.load() if assets is None else assets

    @app.get("/{_path:path}", include_in_schema=False)
    async def site(request: Request, _path: str) -> Response:
        found = static_files.serve(files, request)
        if found is None:
            raise Problem(404, "not-found", "there is nothing at this address")
        return found

    rates = services.settings.api
    limits = RequestLimits(
        services.limiter(rates.reads_per_second), services.limiter(rates.writes_per_second)
    )
    app.add_middleware(
        RequestGuard,
        limits=limits,
        version=lambda: services.version,
        trusted=frozenset(rates.trusted_proxies),
        observe=services.metrics.observe,
        secure=services.secure,
    )
    return app


def _operation(route: APIRoute) -> str:
    """Name an operation as its function is named, for generated clients."""
    return route.name
