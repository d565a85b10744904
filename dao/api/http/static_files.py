"""Serves the page: the files of dao/web, read and compressed once, from memory and from no other folder."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from dao.api.http import etags
from dao.api.http.compression import takes_gzip

FOLDER = Path(__file__).parents[2] / "web"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; `packed` is its gzip, None where that is not smaller."""

    kind: str
    plain: bytes
    packed: bytes | None
    tag: str


def load(folder: Path = FOLDER) -> Mapping[str, Asset]:
    """Read the files of the page by their path on the site; it leaves out hidden ones and Python."""
    assets = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or path.suffix == ".py" or any(part[0] in "._" for part in name.parts):
            continue
        assets[f"/{name.as_posix()}"] = _load_asset(path)
    if "/index.html" in assets:
        assets["/"] = assets["/index.html"]
    return assets


def serve(assets: Mapping[str, Asset], request: Request) -> Response | None:
    """Answer with a file of the page, or None where there is none of this path."""
    asset = assets.get(request.url.path)
    if asset is None:
        return None
    headers = {"ETag": asset.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    known = request.headers.get("if-none-match", "")
    if etags.has_answer(known, asset.tag) or etags.wants_none(known):
        return Response(status_code=304, headers=headers)
    body = asset.plain
    if asset.packed is not None and takes_gzip(request.headers):
        body, headers["Content-Encoding"] = asset.packed, "gzip"
    return Response(body, headers=headers, media_type=asset.kind)


def _load_asset(path: Path) -> Asset:
    plain = path.read_bytes()
    packed = gzip.compress(plain, 9, mtime=0)
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    tag = f'W/"{hashlib.sha256(plain).hexdigest()[:24]}"'
    return Asset(kind, plain, packed if len(packed) < len(plain) else None, tag)
