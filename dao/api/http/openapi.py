"""Writes the OpenAPI description as generated clients need it: every error is one model, every reference resolves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dao.api.http.problems import ProblemBody

_REPLACED = ("HTTPValidationError", "ValidationError")  # the framework's; ours is a problem


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Build the description of an app's routes."""
    description = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        description=app.description,
        routes=app.routes,
    )
    schemas = description["components"]["schemas"]
    for name in _REPLACED:
        schemas.pop(name, None)
    schemas[ProblemBody.__name__] = ProblemBody.model_json_schema()
    return description
