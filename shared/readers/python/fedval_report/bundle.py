"""A report bundle: its tables as rows, its forest plots, and whether it is whole."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Union

from . import forest as forests
from .files import LEAVES, Archive, BundleError, Files, Folder, Problem, is_inside, read, sha256
from .forest import Forest
from .table import Row, choose, parse

MAJOR = 1
"""The version of the bundle's formats that these readers know."""

MISSING = "missing: listed in manifest.json, not in the bundle"
CHANGED = "changed: its SHA-256 is not the one in manifest.json"
ADDED = "added: not listed in manifest.json"


def open_bundle(path: Union[str, os.PathLike[str]]) -> Bundle:
    """Opens a bundle: the folder of a report, or a .zip of it.

    Raises BundleError when there is none, or when a later version of Fedval wrote it in a form
    that these readers don't know.
    """
    place = os.fspath(path)
    if os.path.isdir(place):
        return Bundle(Folder(place))
    if os.path.isfile(place):
        return Bundle(Archive(place))
    raise BundleError(f"{place} is not there", "no folder and no .zip has this name",
                      "give the folder that holds report.html and manifest.json")


class Bundle:
    """An open bundle. Every function reads the file anew and returns rows of its own."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._manifest = _manifest(read(files, "manifest.json"))
        entry = files.entries().get("report.json")
        if entry is not None and not entry.fault:
            for found in re.finditer(rb'"schema"\s*:\s*"(fedval\.report/([0-9]+))',
                                     read(files, "report.json")):
                _check_major(found[1].decode(), int(found[2]))

    def estimates(self, **filters: Any) -> list[Row]:
        """Rows of estimates.csv: one metric of one model at one site, or pooled."""
        head, rows = parse("estimates.csv", read(self._files, "estimates.csv"))
        for schema in {str(row.get("schema_version")) for row in rows}:
            found = re.fullmatch(r"fedval\.estimates/([0-9]+)(\..*)?", schema)
            _check_major(schema, int(found[1]) if found else 0)
        return choose("estimates.csv", head, rows, filters)

    def curves(self, **filters: Any) -> list[Row]:
        """Rows of curves.csv: one point of a curve, or one block of a distribution."""
        return self._rows("curves.csv", filters)

    def counts(self, **filters: Any) -> list[Row]:
        """Rows of counts.csv: one count after disclosure control."""
        return self._rows("counts.csv", filters)

    def sites(self, **filters: Any) -> list[Row]:
        """Rows of sites.csv: one invited site and what it did."""
        return self._rows("sites.csv", filters)

    def forest(self, **key: Any) -> Forest:
        """One analysis as a forest plot has it: a row per site and the pool.

        `key` names columns of estimates.csv: metric, model, endpoint, threshold, comparator,
        axis, level, prevalence, sensitivity, analysis. Without any it is the primary analysis.
        A column that is not named stands for all patients, no comparator and the primary
        analysis set, where there is such an analysis.
        """
        return forests.forest(self.estimates(), self.sites(), key)

    def verify(self) -> list[Problem]:
        """What is not as manifest.json says, by file; empty when the bundle is whole.

        Every file of the manifest must be there with its SHA-256, and no other file. This says
        that nothing changed since the manifest was written, not who wrote it.
        """
        entries = self._files.entries()
        problems = {name: ADDED for name in entries if name not in self._manifest}
        problems.pop("manifest.json", None)
        for name, (size, digest) in self._manifest.items():
            entry = entries.get(name)
            if not is_inside(name):
                problems[name] = LEAVES
            elif entry is None:
                problems[name] = MISSING
            elif entry.size != size or sha256(self._files, name) != digest:
                problems[name] = CHANGED
        for name, entry in entries.items():
            if entry.fault:
                problems[name] = entry.fault
        return [Problem(name, problems[name]) for name in sorted(problems)]

    @property
    def manifest_sha256(self) -> str:
        """The SHA-256 of manifest.json: equal for two people who hold the same bundle."""
        return sha256(self._files, "manifest.json") or ""

    @property
    def manifest_files(self) -> list[str]:
        """The files that manifest.json lists."""
        return sorted(self._manifest)

    def _rows(self, name: str, filters: dict[str, Any]) -> list[Row]:
        head, rows = parse(name, read(self._files, name))
        return choose(name, head, rows, filters)


def _check_major(schema: str, major: int) -> None:
    if major > MAJOR:
        raise BundleError(f"the bundle is in the form {schema}",
                          f"these readers know version {MAJOR}",
                          "install the readers of the Fedval that wrote the bundle")
    if major < MAJOR:
        raise BundleError("estimates.csv is not as Fedval writes it",
                          f"its schema_version is {schema}", "take the bundle's own file")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _manifest(data: bytes) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 by file."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
        schema = document["schema"]
        found = re.fullmatch(r"fedval\.manifest/([0-9]+)(\..*)?", schema)
        if found is None:
            raise ValueError(f"its schema is {schema!r}")
        _check_major(schema, int(found[1]))
        files = {name: (entry["bytes"], entry["sha256"])
                 for name, entry in document["files"].items()}
        for name, (size, digest) in files.items():
            if type(size) is not int or not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ValueError(f"{name!r} has no size or no SHA-256")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError("manifest.json is not as Fedval writes it",
                          f"{type(error).__name__}: {error}",
                          "copy the bundle again from where it was made") from error
    return files
