"""Reads a report bundle of Fedval. It reads files and does nothing else.

    import fedval_report
    bundle = fedval_report.open_bundle("target/report")     # a folder, or a .zip of one
    bundle.verify()                                          # [] when the bundle is whole
    bundle.estimates(metric="auc", scope="pooled")           # rows: one dict each
    bundle.forest(metric="auc", model="p_b").pool

Every number has its type; what is missing is None, never 0. Rows become a data frame by
`pandas.DataFrame(rows)`. The R script `fedval_report.R` has the same functions.
"""

from .bundle import Bundle, open_bundle
from .files import BundleError, Problem
from .forest import Forest
from .table import Row, Value

__all__ = ["Bundle", "BundleError", "Forest", "Problem", "Row", "Value", "open_bundle"]
