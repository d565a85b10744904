"""A site's data in the daemon: checked by the app's schema before the app sees them, and counted for the record of uses."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dao.app.bundle import find_schema
from dao.errors import DataError
from node.check.data_check import check_data

NOTHING: Mapping[str, object] = MappingProxyType({})


class SiteData:
    """The data of one task. `least_rows` is the owner's own bound; defects are borne where he `bears_defects`."""

    def __init__(self, path: Path, task: int, *, least_rows: int = 0, bears_defects: bool = False) -> None:
        self._path, self._task = path, task
        self._least_rows, self._bears_defects = least_rows, bears_defects
        self.counts = NOTHING  # rows, skipped rows and the mix of labels; nothing for an app without a schema

    async def check(self, bundle: bytes) -> None:
        """Check the data by the schema of an app; DataError says what is wrong first, and what to do."""
        schema = find_schema(bundle)
        if schema is None:
            self.counts = NOTHING
            return
        report = await asyncio.to_thread(check_data, self._path, schema)
        self.counts = report.counts()
        self._require_rows(report.used)
        if report.defects and not self._bears_defects:
            more = f", and {len(report.defects) - 1} defects more" if len(report.defects) > 1 else ""
            how = f"dao node check {self._task} shows all"
            raise DataError(f"data: {report.defects[0]}{more}; {how}", report.defects[0].row)

    def require_used(self, rows: int | None) -> None:
        """DataError where an app trained on fewer rows than the owner's bound; one that does not say is held to the schema's count."""
        if rows is not None:
            self._require_rows(rows)
        elif self._least_rows and not self.counts:
            raise DataError(
                f"data: {self._least_rows} rows are asked for by your own setting, and the app does not say how many it has"
            )

    def _require_rows(self, rows: int) -> None:
        if rows < self._least_rows:
            raise DataError(
                f"data: {rows} rows can be used, and your own setting asks for {self._least_rows}"
            )
