"""The web application: routes, what each request passes, the API's description, and the page."""

from collections.abc import Mapping
from functools import cache, partial

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from dao.api import page, problems
from dao.api.description import describe
from dao.api.guard import BASE, Guard, Limits
from dao.api.page import Asset
from dao.api.problems import Problem
from dao.api.routes import (
    auth,
    claims,
    decisions,
    drafts,
    feed,
    members,
    prepare,
    relay,
    state,
    tasks,
)
from dao.api.services import Services

_ABOUT = """\
Read what the DAO trains, decides and pays; draft proposals; sign in with a wallet and have your signatures relayed
without gas. Amounts are wei as decimal text, addresses have their checksum, times are Unix seconds. Errors are
application/problem+json with the contract's own error name. Lists come in pages: pass `next` as `cursor`.
"""
ROUTES = (state, tasks, members, decisions, feed, auth, drafts, prepare, claims, relay)


def create_app(services: Services, assets: Mapping[str, Asset] | None = None) -> FastAPI:
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
    files = page.load() if assets is None else assets

    @app.get("/{_path:path}", include_in_schema=False)
    async def site(request: Request, _path: str) -> Response:
        found = page.serve(files, request)
        if found is None:
            raise Problem(404, "not-found", "there is nothing at this address")
        return found

    rates = services.settings.api
    limits = Limits(services.limiter(rates.reads_per_second), services.limiter(rates.writes_per_second))
    app.add_middleware(
        Guard,
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
