"""Whether the tables of a bundle, as the reader gives them, agree with its report.json.

    python shared/readers/python/tests/agree.py BUNDLE

Every row of estimates.csv, curves.csv and counts.csv is derived again from report.json, in the
same order, and compared value by value, without a tolerance. Exit code 1 when anything differs.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fedval_report import Row, open_bundle  # noqa: E402

EXTERNAL = "external"
FLOW = ("records", "eligible", "without_reference", "without_prediction", "analysed", "patients",
        "events", "non_events")
CROSSED = ("both", "model only", "comparator only", "neither")


def number(cell: dict[str, Any]) -> Any:
    """The number of a cell, or None: hidden and absent numbers have none."""
    return 0 if cell["state"] == "zero" else cell.get("value")


def state(cell: dict[str, Any]) -> Row:
    word = "number" if cell["state"] == "value" else cell["state"]
    return {"state": word, "suppressed": cell["state"] == "suppressed"}


def estimates(study: dict[str, Any]) -> Iterator[Row]:
    holm = [(gap["key"], gap["holm"]) for gap in study["family"]]
    for analysis in study["analyses"]:
        key = analysis["key"]
        about: Row = {
            "schema_version": "fedval.estimates/1", "study": study["protocol"]["slug"],
            "study_version": study["protocol"]["version"], "study_hash": study["protocol_digest"],
            "round": study["round"], "model": key["model"], "endpoint": key["endpoint"],
            "comparator": key.get("comparator"), "threshold": key.get("threshold"),
            "axis": key.get("axis") or "overall", "level": key.get("level") or "overall",
            "prevalence": key.get("prevalence"), "sensitivity": key.get("sensitivity"),
            "metric": key["metric"], "scale": analysis["scale"], "role": analysis["role"],
        }
        adjusted = [value for other, value in holm if other == key]
        yield {**about, **of_pool(analysis["pool"], adjusted[0] if adjusted else None)}
        for site in analysis["sites"]:
            yield {**about, **of_site(site)}


def of_pool(pool: dict[str, Any], adjusted: Optional[float]) -> Row:
    row: Row = {"scope": "pooled", "site": None, "suppressed": False, "state": "number"}
    numbers = ("estimate", "se", "ci_low", "ci_high", "ci_level", "pi_low", "pi_high", "tau2",
               "tau2_low", "tau2_high", "i2", "q", "q_df", "q_p", "k_sites", "n", "n_events",
               "n_clusters", "n_missing", "p_value", "p_adjusted", "weight", "withheld_sites",
               "bound_low", "bound_high")
    row.update(dict.fromkeys(numbers))
    if pool["outcome"] != "pooled":
        row["state"] = "not-computed"
        return row
    row.update(ci_low=pool["low"], ci_high=pool["high"], ci_level=pool["level"],
               k_sites=pool["k"], weight=100, p_adjusted=adjusted,
               n=number(pool["n"]), n_events=number(pool["events"]))
    for name in ("estimate", "se", "tau2", "i2", "q", "q_df", "q_p", "p_value"):
        row[name] = pool[name]
    row["pi_low"], row["pi_high"] = pool["prediction"] or (None, None)
    row["tau2_low"], row["tau2_high"] = pool["tau2_interval"] or (None, None)
    bounds = pool["robustness"].get("withheld")
    if bounds:
        row.update(withheld_sites=" ".join(bounds["sites"]) or None, bound_low=bounds["low"],
                   bound_high=bounds["high"])
    return row


def of_site(site: dict[str, Any]) -> Row:
    deviation = None if site["vi"] is None else math.sqrt(site["vi"])
    row: Row = dict.fromkeys(("pi_low", "pi_high", "tau2", "i2", "q", "p_value", "bound_low"))
    row.update(
        scope="site" if site["role"] == EXTERNAL else "development", site=site["site"],
        site_role=site["role"].replace("-", " "), estimate=number(site["estimate"]),
        ci_low=number(site["low"]), ci_high=number(site["high"]), ci_level=0.95, se=deviation,
        weight=site["weight"], n=number(site["n"]), n_events=number(site["events"]),
        **state(site["estimate"]))
    return row


def place(study: dict[str, Any], curve: dict[str, Any]) -> Row:
    roles = {site["site"]: site["role"] for site in study["sites"]}
    site = curve.get("site")
    scope = "merged" if site is None else "site" if roles[site] == EXTERNAL else "development"
    return {"study": study["protocol"]["slug"], "model": curve["model"], "scope": scope,
            "endpoint": curve["endpoint"], "site": site, "axis": "overall", "level": "overall"}


def point(curve: str, x: float, y: float, band: Any = None, **more: Any) -> Row:
    low, high = band or (None, None)
    row: Row = {"curve": curve, "x": x, "y": y, "y_low": low, "y_high": high}
    row.update(dict.fromkeys(("outcome", "threshold", "x_high", "n")))
    row.update(more)
    return row


def curves(study: dict[str, Any]) -> Iterator[Row]:
    for curve in study["merged"]:
        at = place(study, curve)
        for one in curve["points"]:
            yield {**at, **point("roc", one["fpr"], one["tpr"], one.get("band"),
                                 threshold=one["threshold"])}
        for one in curve["precision_recall"]:
            yield {**at, **point("pr", one["recall"], one["precision"], one.get("band"),
                                 threshold=one["threshold"])}
        for outcome, blocks in (("event", "events"), ("non-event", "non_events")):
            for one in curve[blocks]:
                yield {**at, **point("density", one["from"], one["share"], outcome=outcome,
                                     x_high=one["to"])}
    for curve in study["benefit"]:
        if curve["prevalence"] is None:
            at = place(study, curve)
            for one in curve["points"]:
                threshold = one["threshold"]
                yield {**at, **point("net-benefit", threshold, one["net_benefit"],
                                     one["interval"], threshold=threshold)}
                yield {**at, **point("net-benefit-treat-all", threshold, one["treat_all"],
                                     threshold=threshold)}
    for curve in study["calibration"]:
        at = place(study, curve)
        for one in curve["points"]:
            yield {**at, **point("calibration", one["predicted"], one["observed"],
                                 (one["low"], one["high"]))}
        for one in curve["tenths"]:
            yield {**at, **point("calibration-tenth", one["predicted"], one["observed"],
                                 (one["low"], one["high"]), n=one["n"])}


def count(row: str, column: Optional[str], cell: dict[str, Any]) -> Row:
    ends = (cell.get("lo", number(cell)), cell.get("hi", number(cell)))
    return {"row": row, "column": column or None, "count": number(cell), "count_low": ends[0],
            "count_high": ends[1], **state(cell)}


def counts(study: dict[str, Any]) -> Iterator[Row]:
    released = [site for site in study["sites"] if site["outcome"] == "released"]
    released.sort(key=lambda site: bool(site["role"] != EXTERNAL))
    for site in released:
        at = {"scope": "site", "site": site["site"], "site_role": site["role"].replace("-", " ")}
        yield from ({**at, **row} for row in of_statistics(study, site["statistics"]))
    for pooled in study["crossed"]:
        model = f"{pooled['model']}-vs-{pooled['comparator']}"
        about = heading("decisions-crossed", pooled, model=model)
        for at, one in places(pooled["sites"], pooled):
            for row, cells in (("event", "events"), ("no event", "non_events")):
                for column, cell in zip(CROSSED, one[cells]):
                    yield {**about, **at, **count(row, column, cell)}
    for table in study["tables"]:
        about = heading(table["kind"], table, axis=table["axis"])
        for at, one in places(table["sites"], {"cells": table["total"]}):
            for level, cells in zip(table["levels"], one["cells"]):
                for column, cell in zip(table["columns"], cells):
                    yield {**about, **at, **count(level, column, cell)}


def heading(table: str, of: dict[str, Any], **more: Any) -> Row:
    row: Row = {"table": table, "endpoint": of["endpoint"], "model": of.get("model"),
                "threshold": of.get("threshold"), "axis": None}
    row.update(more)
    return row


def places(sites: list[dict[str, Any]], total: dict[str, Any]) -> Iterator[tuple[Row, Any]]:
    """Each site's part, then the sum."""
    for site in sites:
        yield {"scope": "site", "site": site["site"],
               "site_role": site["role"].replace("-", " ")}, site
    yield {"scope": "sum", "site": None, "site_role": EXTERNAL}, total


def of_statistics(study: dict[str, Any], statistics: list[dict[str, Any]]) -> Iterator[Row]:
    for endpoint in (one["id"] for one in study["protocol"]["endpoint"]):
        flows = [one for one in statistics
                 if one["statistic"] == "flow" and one["endpoint"] == endpoint]
        for flow in flows[:1]:
            about = heading("flow", flow)
            for excluded in flow["excluded"]:
                yield {**about, **count("excluded", excluded["reason"], excluded["count"])}
            for name in FLOW:
                yield {**about, **count(name, None, flow[name])}
    for table in (one for one in statistics if one["statistic"] == "confusion"):
        about = heading("confusion", table)
        for row, column, name in (("positive", "event", "true_positive"),
                                  ("positive", "no event", "false_positive"),
                                  ("negative", "event", "false_negative"),
                                  ("negative", "no event", "true_negative")):
            yield {**about, **count(row, column, table[name])}


def compare(name: str, rows: list[Row], expected: list[Row]) -> int:
    """Prints what differs; the number of differences."""
    faults = []
    if len(rows) != len(expected):
        faults.append(f"{len(rows)} rows, report.json gives {len(expected)}")
    values = numbers = 0
    for line, (row, wanted) in enumerate(zip(rows, expected), start=1):
        for column, value in wanted.items():
            values += 1
            numbers += isinstance(value, (int, float)) and not isinstance(value, bool)
            if row[column] != value or (value is None) != (row[column] is None):
                faults.append(f"row {line}, {column}: {row[column]!r}, report.json {value!r}")
    for fault in faults[:20]:
        print(f"differs {name}: {fault}")
    print(f"{name}: {len(rows)} rows, {values} values of them {numbers} numbers compared, "
          f"{len(faults)} differ")
    return len(faults)


def main(path: str) -> int:
    bundle = open_bundle(path)
    study = json.loads((Path(path) / "report.json").read_bytes())["study"]
    rows = bundle.estimates()
    faults = sum([
        compare("estimates.csv", rows, list(estimates(study))),
        compare("curves.csv", bundle.curves(), list(curves(study))),
        compare("counts.csv", bundle.counts(), list(counts(study))),
    ])
    if all(row["estimate"] is None for row in rows):
        print("no estimate in estimates.csv: nothing was compared")
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python agree.py BUNDLE")
    sys.exit(main(sys.argv[1]))
