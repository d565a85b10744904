"""Serves the page: the files of dao/web, read and compressed once, from memory and from no other folder."""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from dao.api.http import etags
from dao.api.http.compression import takes_gzip
from dao.api.http.page_bundle import join_page

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


_TEXTS = (".css", ".html", ".js", ".mjs")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; `packed` is its gzip, None where that is not smaller; a lasting one never changes."""

    kind: str
    plain: bytes
    packed: bytes | None
    tag: str
    is_lasting: bool = False


def load(folder: Path = FOLDER) -> Mapping[str, Asset]:
    """Read the files of the page by their path on the site; it leaves out hidden ones and Python.

    What index.html loads stands below /static/HASH/, where HASH is that of all files, so that browsers need not ask for it
    again; the files as they were written stand at their own paths.
    """
    contents = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and path.suffix != ".py" and not any(part[0] in "._" for part in place.parts):
            contents[place.as_posix()] = path.read_bytes()
    assets = {f"/{name}": make_asset(name, content) for name, content in contents.items()}
    if "index.html" not in contents:
        return assets
    lasting = f"static/{_hash(repr(sorted(contents.items())).encode())[:16]}"
    texts = {name: content.decode() for name, content in contents.items() if Path(name).suffix in _TEXTS}
    joined = {name: text.encode() for name, text in join_page(texts, lasting).items()}
    assets["/"] = assets["/index.html"] = make_asset("index.html", joined.pop("index.html"))
    later = {name: assets[f"/{name}"] for name in contents if name != "index.html"}
    later |= {name: make_asset(name, content) for name, content in joined.items()}
    return assets | {f"/{lasting}/{name}": replace(asset, is_lasting=True) for name, asset in later.items()}


def find(assets: Mapping[str, Asset], path: str) -> Asset | None:
    """Find a file of the page by its path on the site."""
    return assets.get(path) or _find_later(assets, path)


def respond(asset: Asset, request: Request) -> Response:
    """Answer with a file: all of it, or 304 where the browser has it."""
    control = "public, max-age=31536000, immutable" if asset.is_lasting else "no-cache"
    headers = {"ETag": asset.tag, "Cache-Control": control, "Vary": "Accept-Encoding"}
    known = request.headers.get("if-none-match", "")
    if etags.has_answer(known, asset.tag) or etags.wants_none(known):
        return Response(status_code=304, headers=headers)
    body = asset.plain
    if asset.packed is not None and takes_gzip(request.headers):
        body, headers["Content-Encoding"] = asset.packed, "gzip"
    return Response(body, headers=headers, media_type=asset.kind)


def _find_later(assets: Mapping[str, Asset], path: str) -> Asset | None:
    """Find what a page of another release loads late, a chart's library, as it is in this one."""
    match = re.fullmatch("/static/[0-9a-f]{16}(/.+)", path)
    return assets.get(match[1]) if match is not None else None


def make_asset(name: str, plain: bytes) -> Asset:
    """Make a file of its name and content, and compress it."""
    packed = gzip.compress(plain, 9, mtime=0)
    kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed_or_none = packed if len(packed) < len(plain) else None
    return Asset(kind, plain, packed_or_none, f'W/"{_hash(plain)[:24]}"')


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
