"""One analysis as the rows of a forest plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .files import BundleError
from .table import Row, Value, choose

KEY = ("metric", "model", "endpoint", "threshold", "comparator", "axis", "level", "prevalence",
       "sensitivity", "analysis")
# What a column stands for when it is not named.
WHOLE_ANALYSIS: dict[str, Value] = {"axis": "overall", "level": "overall", "comparator": None,
                                    "prevalence": None, "sensitivity": None}
SITE = ("estimate", "ci_low", "ci_high", "ci_level", "weight", "n", "n_events", "state",
        "suppressed", "reason")
POOL = ("estimate", "se", "ci_low", "ci_high", "ci_level", "pi_low", "pi_high", "tau2",
        "tau2_low", "tau2_high", "i2", "q", "q_df", "q_p", "k_sites", "n", "n_events", "method",
        "withheld_sites", "bound_low", "bound_high")


@dataclass(frozen=True)
class Forest:
    """The rows of one forest plot.

    `sites` has every invited site, in the protocol's order: its estimate and interval on the
    natural scale, its weight in percent (None: not in the pool), or None with the reason why
    there is no number. `pool` is the pooled row, with the prediction interval in pi_low and
    pi_high, or None with `reason`. `key` says what is estimated, and on which scale it is pooled.
    """

    key: Row
    sites: list[Row]
    pool: Optional[Row]
    reason: Optional[str]


def forest(estimates: list[Row], sites: list[Row], key: Mapping[str, Any]) -> Forest:
    """The forest plot of the one analysis that `key` names."""
    for column in key:
        if column not in KEY:
            raise BundleError(f"forest does not know {column}",
                              f"an analysis is named by {', '.join(KEY)}", "use these names")
    rows = _one_analysis(estimates, key)
    pooled = [row for row in rows if row["scope"] == "pooled"]
    if len(pooled) != 1:
        raise BundleError("estimates.csv is not as Fedval writes it",
                          f"the analysis {rows[0]['analysis']} has {len(pooled)} pooled rows",
                          "take the file from the bundle again")
    pool = pooled[0]
    there_is = pool["state"] == "number"
    return Forest(
        key={column: pool.get(column) for column in (*KEY, "scale", "role")},
        sites=_sites([row for row in rows if row["scope"] != "pooled"], sites),
        pool={column: pool.get(column) for column in POOL} if there_is else None,
        reason=None if there_is else str(pool["reason"]),
    )


def _one_analysis(estimates: list[Row], key: Mapping[str, Any]) -> list[Row]:
    head = list(estimates[0]) if estimates else (*KEY, "role")
    rows = choose("estimates.csv", head, estimates, key or {"role": "primary"})
    if not rows:
        asked = ", ".join(f"{column} {value}" for column, value in key.items())
        raise BundleError(f"there is no analysis with {asked or 'the role primary'}",
                          "no row of estimates.csv has all of these values",
                          "look at the values with `estimates(scope=\"pooled\")`")
    for column, default in WHOLE_ANALYSIS.items():
        if column not in key and "analysis" not in key:
            rows = [row for row in rows if row[column] == default] or rows
    analyses = list(dict.fromkeys(str(row["analysis"]) for row in rows))
    if len(analyses) > 1:
        differ = [column for column in KEY[:-1] if len({row[column] for row in rows}) > 1]
        raise BundleError(f"{len(analyses)} analyses are meant",
                          f"they differ in {', '.join(differ) or 'analysis'}",
                          f"name one more column, or one analysis: {', '.join(analyses[:6])}")
    return rows


def _sites(estimates: list[Row], sites: list[Row]) -> list[Row]:
    """A row per invited site; those without an estimate say why."""
    found = {row["site"]: row for row in estimates}
    out: dict[Value, Row] = {}
    for site in sites:
        name = site["site"]
        if name in out:
            continue
        row: Row = {"site": name, "display_name": site["display_name"],
                    "site_role": site["site_role"]}
        if name in found:
            row.update({column: found[name].get(column) for column in SITE})
        else:
            released = site["outcome"] == "released"
            row.update(dict.fromkeys(SITE))
            row.update(state="not-computed" if released else "not-released", suppressed=False,
                       reason="not in its release" if released else site["outcome"])
        out[name] = row
    return list(out.values())
