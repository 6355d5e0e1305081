"""CSV of a bundle as typed rows: numbers, whole numbers, flags and text; empty is None."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from .files import BundleError

Value = Union[str, int, float, bool, None]
Row = dict[str, Value]

REAL = frozenset((
    "threshold", "prevalence", "estimate", "se", "ci_low", "ci_high", "ci_level", "pi_low",
    "pi_high", "tau2", "tau2_low", "tau2_high", "i2", "q", "q_p", "weight", "p_value",
    "p_adjusted", "bound_low", "bound_high", "x", "x_high", "y", "y_low", "y_high"))
WHOLE = frozenset((
    "q_df", "k_sites", "n", "n_events", "n_clusters", "n_missing", "count", "count_low",
    "count_high", "n_analysed", "n_patients", "n_non_events"))
FLAG = frozenset(("suppressed", "clustered"))
_REAL = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|inf)")
_WHOLE = re.compile(r"-?[0-9]+")
# A spreadsheet would run text that starts so; the writer puts an apostrophe before it.
_GUARDED = re.compile(r"'[=+\-@\t\r]")


def parse(name: str, data: bytes) -> tuple[list[str], list[Row]]:
    """Columns and rows of the CSV file `name`. Columns of later versions stay text."""
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _broken(name, str(error)) from error
    if not lines or not lines[0] or len(set(lines[0])) != len(lines[0]):
        raise _broken(name, "its first line does not name columns, each once")
    head = lines[0]
    rows: list[Row] = []
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(head):
            raise _broken(name, f"row {number} has {len(line)} fields, the head {len(head)}")
        rows.append({column: _value(name, number, column, text)
                     for column, text in zip(head, line)})
    return head, rows


def _value(name: str, number: int, column: str, text: str) -> Value:
    if text == "":
        return None
    if column in REAL and _REAL.fullmatch(text):
        return float(text)
    if column in WHOLE and _WHOLE.fullmatch(text):
        return int(text)
    if column in FLAG and text in ("true", "false"):
        return text == "true"
    if column in REAL or column in WHOLE or column in FLAG:
        raise _broken(name, f"row {number}: {text[:40]!r} is no value of the column {column}")
    return text[1:] if _GUARDED.match(text) else text


def _broken(name: str, why: str) -> BundleError:
    return BundleError(f"{name} is not as Fedval writes it", why,
                       "take the file from the bundle again; a spreadsheet may have changed it")


def choose(name: str, head: Sequence[str], rows: list[Row],
           filters: Mapping[str, Any]) -> list[Row]:
    """The rows whose columns equal the filters; a list, tuple or set means any of its values."""
    for column, wanted in filters.items():
        if column not in head:
            raise BundleError(f"{name} has no column {column}",
                              f"its columns are {', '.join(head)}",
                              "filter by one of these names")
        values = list(wanted) if isinstance(wanted, (list, tuple, set, frozenset)) else [wanted]
        for value in values:
            _check_type(name, column, value)
        rows = [row for row in rows if row[column] in values]
    return rows


def _check_type(name: str, column: str, value: Any) -> None:
    if value is None:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if column in FLAG:
        fits, holds = isinstance(value, bool), "true and false"
    elif column in REAL or column in WHOLE:
        fits, holds = number and not math.isnan(value), "numbers"
    else:
        fits, holds = isinstance(value, str), "text"
    if not fits:
        raise BundleError(f"the column {column} of {name} is never {value!r}",
                          f"it holds {holds}",
                          "give a value of that kind, or None for what is missing")
