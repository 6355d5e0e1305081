"""`python -m fedval_report verify BUNDLE` and `dump BUNDLE`.

Exit code 0: the bundle is whole; 1: it is not, or cannot be read; 2: the command is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Optional

from .bundle import Bundle, open_bundle
from .files import BundleError, escaped
from .forest import forest
from .table import Row, Value

USAGE = """usage: python -m fedval_report verify BUNDLE    is every file as manifest.json says?
       python -m fedval_report dump BUNDLE      every row and forest plot as plain text"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs one command; its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 2 or given[0] not in ("verify", "dump"):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        bundle = open_bundle(given[1])
        return _verify(bundle) if given[0] == "verify" else _dump(bundle)
    except (BundleError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _verify(bundle: Bundle) -> int:
    problems = bundle.verify()
    if problems:
        _write([f"{_quoted(file)} {problem}" for file, problem in problems])
        return 1
    _write([f"whole: {len(bundle.manifest_files)} files as manifest.json says",
            f"manifest.json has the SHA-256 {bundle.manifest_sha256}"])
    return 0


def _dump(bundle: Bundle) -> int:
    lines: list[str] = []
    estimates, sites = bundle.estimates(), bundle.sites()
    for title, rows in (("estimates", estimates), ("curves", bundle.curves()),
                        ("counts", bundle.counts()), ("sites", sites)):
        lines += [f"# {title}", *_table(rows)]
    for analysis in dict.fromkeys(str(row["analysis"]) for row in estimates):
        one = forest(estimates, sites, {"analysis": analysis})
        lines += [f"# forest {_quoted(analysis)}", *_table([one.key]), *_table(one.sites),
                  *(_table([one.pool]) if one.pool else [_cell(one.reason)])]
    _write(lines)
    return 0


def _table(rows: list[Row]) -> list[str]:
    head = ["\t".join(rows[0])] if rows else []
    return head + ["\t".join(_cell(value) for value in row.values()) for row in rows]


def _cell(value: Value) -> str:
    """Missing is NA, numbers have 17 digits, text stands in quotes: the same in R."""
    if value is None:
        return "NA"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "%.17g" % value
    return _quoted(value)


def _quoted(text: str) -> str:
    return '"' + escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _write(lines: list[str]) -> None:
    # Bytes, so that every system writes the same: UTF-8 with line feeds.
    sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
