"""Joins the page's modules into one script and its sheets into one, so that a browser asks for two files and not for forty.

No tool is needed for it: modules import by name, export what they declare, and form no circle. Each becomes a function
that is called once and returns its exports.
"""

import posixpath
import re
from collections.abc import Callable, Mapping

_IMPORT = re.compile(
    r'^import\s*(?:\*\s*as\s+(?P<all>\w+)|(?P<default>\w+)|\{(?P<names>[^}]*)\})\s*from\s*"(?P<path>[^"]+)";?',
    re.MULTILINE,
)
_EXPORT_FROM = re.compile(
    r'^export\s*(?:(?P<all>\*)|\{(?P<names>[^}]*)\})\s*from\s*"(?P<path>[^"]+)";?', re.MULTILINE
)
_EXPORT_LIST = re.compile(r"(?P<before>^|[;}])export\s*\{(?P<names>[^}]*)\};?", re.MULTILINE)
_EXPORT_DEFAULT = re.compile(r"(?P<before>^|[;}])export default ", re.MULTILINE)
_EXPORT = re.compile(r"^export (?P<kept>(?:async )?(?:function|class|const) (?P<name>\w+))", re.MULTILINE)
_DYNAMIC = re.compile(r'import\("(?P<path>\.[^"]+)"\)')
_LEFT = re.compile(r"^(?:import|export)\b.*$|[;}](?:import|export)[ {*]", re.MULTILINE)
_SHEET = re.compile(r' *<link rel="stylesheet" href="(?P<path>[^"]+)" />\n')
_SCRIPT = re.compile(r'<script type="module" src="(?P<path>[^"]+)"></script>')


class BundleError(Exception):
    """A module is written in a way that cannot be joined."""


class _Bundler:
    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._numbers: dict[str, int] = {}  # of modules that are joined, by path
        self._open: list[str] = []
        self._parts: list[str] = []

    def add(self, path: str) -> str:
        """Add a module after those that it imports; the name of its exports."""
        if path in self._open:
            raise BundleError(f"{path}: imports itself by way of {', '.join(self._open)}")
        if path not in self._numbers:
            self._open.append(path)
            part = _Module(path, self.add).convert(self._files[path])
            self._open.pop()
            self._numbers[path] = len(self._numbers)
            self._parts.append(f"// {path}\nconst m{self._numbers[path]} = (() => {{\n{part}\n}})();\n")
        return f"m{self._numbers[path]}"

    def join(self) -> str:
        """Join the modules that were added; the script exports them by their paths, for the browser's console."""
        modules = ", ".join(f'"{path}": m{number}' for path, number in self._numbers.items())
        return "\n".join([*self._parts, f"export const modules = {{ {modules} }};\n"])


class _Module:
    """A module on its way to a function's body; `add` adds another one, and returns the name of its exports."""

    def __init__(self, path: str, add: Callable[[str], str]) -> None:
        self._path = path
        self._add = add
        self._exports: list[str] = []

    def convert(self, text: str) -> str:
        """Convert imports and exports; BundleError for one that is not understood."""
        for pattern, convert in (
            (_IMPORT, self._import),
            (_EXPORT_FROM, self._export_from),
            (_EXPORT_LIST, self._export_list),
            (_EXPORT_DEFAULT, self._export_default),
            (_EXPORT, self._export),
            (_DYNAMIC, self._import_later),
        ):
            text = pattern.sub(convert, text)
        if left := _LEFT.search(text):
            raise BundleError(f"{self._path}: cannot be joined: {left[0][:80]}")
        text = text.replace("import.meta.url", f'new URL("./{self._path}", import.meta.url).href')
        return f"{text}\nreturn {{ {', '.join(self._exports)} }};"

    def _resolve(self, other: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self._path), other))

    def _import(self, match: re.Match[str]) -> str:
        module = self._add(self._resolve(match["path"]))
        if match["names"] is not None:
            pairs = ", ".join(f"{old}: {new}" for old, new in _list_pairs(match["names"]))
            return f"const {{ {pairs} }} = {module};"
        name, value = (match["all"], module) if match["all"] else (match["default"], f"{module}.default")
        return f"const {name} = {value};"

    def _export_from(self, match: re.Match[str]) -> str:
        module = self._add(self._resolve(match["path"]))
        pairs = [f"{new}: {module}.{old}" for old, new in _list_pairs(match["names"] or "")]
        self._exports += [f"...{module}"] if match["all"] else pairs
        return ""

    def _export_list(self, match: re.Match[str]) -> str:
        self._exports += [f"{new}: {old}" for old, new in _list_pairs(match["names"])]
        return match["before"]

    def _export_default(self, match: re.Match[str]) -> str:
        self._exports.append("default: $default")
        return f"{match['before']}const $default = "

    def _export(self, match: re.Match[str]) -> str:
        self._exports.append(match["name"])
        return match["kept"]

    def _import_later(self, match: re.Match[str]) -> str:
        return f'import("./{self._resolve(match["path"])}")'


def _list_pairs(names: str) -> list[tuple[str, str]]:
    """List the [old, new] names of "a, b as c"."""
    found = [re.split(r"\s+as\s+", name.strip()) for name in names.split(",") if name.strip()]
    return [(pair[0], pair[-1]) for pair in found]


def join_page(files: Mapping[str, str], folder: str) -> dict[str, str]:
    """Join the page: `files` by path, index.html with the others in it. Returns index.html, app.js and app.css.

    The two stand in `folder`, where the other files stand as well: what is loaded later is loaded from there.
    """
    index = files["index.html"]
    script = _SCRIPT.search(index)
    if script is None:
        raise BundleError("index.html: has no module script")
    bundler = _Bundler(files)
    bundler.add(script["path"])
    sheets = [files[match["path"]] for match in _SHEET.finditer(index)]
    page = _SHEET.sub("", index)
    tags = f'<link rel="stylesheet" href="{folder}/app.css" />\n    <script type="module" src="{folder}/app.js"></script>'
    icon = f'"{folder}/icon.svg"'  # of the page, and of the header that the script draws
    return {
        "index.html": page.replace(script[0], tags).replace('"icon.svg"', icon),
        "app.js": bundler.join().replace('"icon.svg"', icon),
        "app.css": "\n".join(sheets),
    }
