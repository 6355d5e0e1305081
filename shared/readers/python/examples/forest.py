# %% [markdown]
# # The main figure, rebuilt from a bundle
#
# The forest plot of the primary analysis, drawn from `estimates.csv` and `sites.csv` with the
# standard library and `fedval_report` (`pip install shared/readers/python`). Jupyter and VS Code
# open this file as a notebook; as a script it is
#
#     python forest.py BUNDLE forest.svg

# %%
import math
import re
import sys
from html import escape
from pathlib import Path
from typing import Any, Optional

from fedval_report import open_bundle

bundle_path, figure_path = "fedval-report", "forest.svg"
if len(sys.argv) == 3 and not sys.argv[1].startswith("-"):
    bundle_path, figure_path = sys.argv[1:]

# %% [markdown]
# ## Read
#
# `forest()` without a key is the primary analysis; `forest(metric="observed-expected",
# model="p_b")` is another. Look whether the bundle is whole before you cite it.

# %%
bundle = open_bundle(bundle_path)
for file, problem in bundle.verify():
    print(f"{file}: {problem}", file=sys.stderr)
forest = bundle.forest()

# %% [markdown]
# ## How numbers look

# %%
NAMES = {"auc": "AUC", "observed-expected": "O:E", "citl": "Calibration in the large",
         "ppv": "PPV", "npv": "NPV", "hd95": "HD95", "nsd": "Surface Dice"}
PERCENT = {"sensitivity", "specificity", "ppv", "npv", "selection-rate", "prevalence"}


def name_of(metric: str) -> str:
    """A metric's name, without what estimates.csv says about thresholds and levels."""
    return NAMES.get(metric, metric.replace("-", " ").capitalize())


def shown(value: float, metric: str, scale: str) -> str:
    """A number with its decimals and a true minus sign."""
    if metric in PERCENT:
        value, decimals = 100 * value, 1
    else:
        decimals = 2 if scale == "log" else 3
    text = f"{value:.{decimals}f}"
    text = text.lstrip("-") if float(text) == 0 else text
    return text.replace("-", "\u2212") + ("%" if metric in PERCENT else "")


def interval(row: dict[str, Any], metric: str, scale: str, of: str = "ci") -> str:
    """`0.80 to 0.87`; an end that the file leaves open is said to be open."""
    low, high = row[f"{of}_low"], row[f"{of}_high"]
    if low is None and high is None:
        return "no interval"
    if low is None:
        return f"up to {shown(high, metric, scale)}"
    if high is None or math.isinf(high):
        return f"from {shown(low, metric, scale)}"
    return f"{shown(low, metric, scale).rstrip('%')} to {shown(high, metric, scale)}"


def share(level: float) -> str:
    """`95%`."""
    return f"{100 * level:g}%"


def p_value(p: float) -> str:
    """`= 0.03`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.01 else f"= {p:.2f}"


# %% [markdown]
# ## The axis
#
# It holds every estimate and the pool with its interval. Intervals that are much wider are cut
# and end in arrows; their numbers stand beside them.

# %%
PLOT = (395.0, 675.0)


class Axis:
    """A linear axis, or a logarithmic one for ratios."""

    def __init__(self, forest: Any) -> None:
        self.log = forest.key["scale"] == "log"
        core, ends = [], []
        for row in [*forest.sites, *([forest.pool] if forest.pool else [])]:
            core += [self.to(row["estimate"])] if row["estimate"] is not None else []
            for end in ("ci_low", "ci_high", "pi_low", "pi_high"):
                value = row.get(end)
                if isinstance(value, (int, float)) and math.isfinite(value):
                    ends.append(self.to(value))
        for end in ("ci_low", "ci_high"):
            core += [self.to(forest.pool[end])] if forest.pool else []
        core = core or [0.0, 1.0]
        room = max(0.5 * (max(core) - min(core)), 0.5 if self.log else 0.1)
        low = max(min([*core, *ends]), min(core) - room)
        high = min(max([*core, *ends]), max(core) + room)
        self.ticks = self.log_ticks(low, high) if self.log else self.linear_ticks(low, high)
        self.low, self.high = self.to(self.ticks[0]), self.to(self.ticks[-1])

    def to(self, value: float) -> float:
        """The place of a value on the axis' own scale."""
        return math.log(max(value, 1e-12)) if self.log else float(value)

    def x(self, value: float) -> float:
        """Pixels; what lies beyond an end is drawn at the end."""
        part = (self.to(value) - self.low) / (self.high - self.low)
        return PLOT[0] + min(max(part, 0.0), 1.0) * (PLOT[1] - PLOT[0])

    def cuts(self, low: Optional[float], high: Optional[float]) -> tuple[bool, bool]:
        """Whether an interval leaves the axis on the left, on the right."""
        slack = 1e-9 * (self.high - self.low)
        return (low is not None and self.to(low) < self.low - slack,
                high is not None and self.to(high) > self.high + slack)

    @staticmethod
    def linear_ticks(low: float, high: float) -> list[float]:
        """Four to eight round numbers around both ends."""
        rough = (high - low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return [round(place * step, 12) for place in range(first, last + 1)]

    @classmethod
    def log_ticks(cls, low: float, high: float) -> list[float]:
        """Of 1, 2, 5, 10, ... those around both ends; below a factor of two, round numbers."""
        if high - low < math.log(2):
            return cls.linear_ticks(math.exp(low), math.exp(high))
        ticks = [times * 10.0 ** power for power in range(-12, 13) for times in (1, 2, 5)]
        first = max(tick for tick in ticks if math.log(tick) <= low + 1e-9)
        last = min(tick for tick in ticks if math.log(tick) >= high - 1e-9)
        return [tick for tick in ticks if first <= tick <= last]


# %% [markdown]
# ## The drawing
#
# A square's area is the weight in the pool. The diamond is the pool with its confidence interval,
# the bar below it the prediction interval. A hospital that withheld its number keeps its row.

# %%
BLUE, ORANGE, INK, SOFT = "#0072B2", "#D55E00", "#111111", "#555555"
HALO = 'font-style="italic" stroke="#fff" stroke-width="5" paint-order="stroke"'
WIDTH, TOP, ROW = 950, 46.0, 27.0
NAME_X, COUNT_X, TEXT_X, WEIGHT_X = 6, 380, 692, 944


class Drawing:
    """The rows of a forest plot, from top to bottom, as SVG."""

    def __init__(self, forest: Any) -> None:
        self.forest, self.axis = forest, Axis(forest)
        self.metric, self.scale = str(forest.key["metric"]), str(forest.key["scale"])
        self.parts: list[str] = []
        self.y = TOP + ROW / 2

    def text(self, x: float, text: object, anchor: str = "start", colour: str = INK,
             style: str = "", y: Optional[float] = None) -> None:
        plain = re.sub(r"[\x00-\x1f\x7f-\x9f]", "\u00b7", str(text))
        self.parts.append(f'<text x="{x:.1f}" y="{self.y + 4.5 if y is None else y:.1f}" '
                          f'text-anchor="{anchor}" fill="{colour}" {style}>'
                          f"{escape(plain)}</text>")

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = INK,
             width: float = 1, dash: str = "") -> None:
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"/>')

    def polygon(self, corners: list[tuple[float, float]], colour: str) -> None:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        self.parts.append(f'<polygon points="{points}" fill="{colour}"/>')

    def bar(self, low: Optional[float], high: Optional[float], middle: Optional[float],
            colour: str, width: float) -> None:
        """An interval. An end beyond the axis is an arrow; an open end stops at the estimate."""
        ends = [end if end is not None else middle for end in (low, high)]
        if ends[0] is None or ends[1] is None:
            return
        left, right = self.axis.x(ends[0]), self.axis.x(ends[1])
        self.line(left, self.y, right, self.y, colour, width)
        cut_left, cut_right = self.axis.cuts(low, high)
        for cut, x, way in ((cut_left, left, -1), (cut_right, right, 1)):
            if cut:
                self.polygon([(x + 7 * way, self.y), (x - 4 * way, self.y - 5.5),
                              (x - 4 * way, self.y + 5.5)], colour)

    def site(self, row: dict[str, Any]) -> None:
        name = clipped(row["display_name"] or row["site"], 46)
        self.text(NAME_X + 8, name, style='font-size="12"')
        estimate, weight = row["estimate"], row["weight"]
        if estimate is None:
            state = {"suppressed": "withheld: ", "not-released": ""}.get(
                row["state"], f"{row['state']}: ".replace("-", " "))
            self.text(COUNT_X, counted(row), "end", SOFT)
            self.text(PLOT[0] + 4, clipped(state + str(row["reason"]), 82), colour=SOFT, style=HALO)
        else:
            self.text(COUNT_X, counted(row), "end")
            apart = row["site_role"] != "external" or (self.forest.pool and weight is None)
            colour = ORANGE if apart else BLUE
            self.bar(row["ci_low"], row["ci_high"], estimate, colour, 1.7)
            x = self.axis.x(estimate)
            if apart:
                self.parts.append(f'<circle cx="{x:.1f}" cy="{self.y:.1f}" r="5" fill="#fff" '
                                  f'stroke="{colour}" stroke-width="1.8"/>')
            else:
                side = 7.0 if weight is None else min(max(math.sqrt(3.4 * weight), 3.0), 18.5)
                self.parts.append(
                    f'<rect x="{x - side / 2:.1f}" y="{self.y - side / 2:.1f}" '
                    f'width="{side:.1f}" height="{side:.1f}" fill="{colour}"/>')
            self.text(TEXT_X, f"{shown(estimate, self.metric, self.scale)} "
                              f"({interval(row, self.metric, self.scale)})")
            self.text(WEIGHT_X, "\u2013" if weight is None else f"{weight:.1f}%", "end")
        self.y += ROW

    def heading(self, words: str) -> None:
        self.text(NAME_X, words, style='font-weight="bold"')
        self.y += ROW

    def pool(self, pool: dict[str, Any]) -> None:
        bold = 'font-weight="bold"'
        self.line(0, self.y - ROW / 2, WIDTH, self.y - ROW / 2, "#bbbbbb")
        self.text(NAME_X, f"Random-effects mean, {pool['k_sites']} hospitals", style=bold)
        self.text(COUNT_X, counted(pool), "end", style=bold)
        low, middle, high = (self.axis.x(pool[end]) for end in ("ci_low", "estimate", "ci_high"))
        self.polygon([(low, self.y), (middle, self.y - 8.5), (high, self.y),
                      (middle, self.y + 8.5)], INK)
        self.text(TEXT_X, f"{shown(pool['estimate'], self.metric, self.scale)} "
                          f"({interval(pool, self.metric, self.scale)})", style=bold)
        self.y += ROW
        level = share(pool["ci_level"])
        self.text(NAME_X, f"{level} prediction interval for a further hospital", colour=SOFT)
        if pool["pi_low"] is None:
            self.text(TEXT_X, "needs three hospitals", colour=SOFT)
        else:
            self.bar(pool["pi_low"], pool["pi_high"], None, INK, 4.5)
            # Below five hospitals the report draws no conclusion from a prediction interval.
            few = ", not interpreted" if pool["k_sites"] < 5 else ""
            words = interval(pool, self.metric, self.scale, "pi")
            self.text(TEXT_X, words + few, colour=SOFT)
        self.y += ROW

    def frame(self) -> list[str]:
        """Head, gridlines and axis: behind the rows."""
        rows, self.parts = self.parts, []
        bottom, bold = self.y - ROW / 2 + 6, 'font-weight="bold"'
        level = next((row["ci_level"] for row in [self.forest.pool, *self.forest.sites]
                      if row and row["ci_level"]), 0.95)
        self.text(NAME_X, "Hospital", style=bold, y=18)
        self.text(COUNT_X, "Events / cases", "end", style=bold, y=18)
        name = name_of(self.metric)
        head = name if len(name) <= 14 else "Estimate"
        self.text(TEXT_X, f"{head} ({share(level)} CI)", style=bold, y=18)
        self.text(WEIGHT_X, "Weight", "end", style=bold, y=18)
        self.line(0, 28, WIDTH, 28)
        digits = max(len(f"{tick:.6g}".partition(".")[2]) for tick in self.axis.ticks)
        for tick in self.axis.ticks:
            x = self.axis.x(tick)
            self.line(x, 38, x, bottom, "#e6e6e6")
            self.line(x, bottom, x, bottom + 5)
            label = (f"{100 * tick:g}%" if self.metric in PERCENT else
                     f"{tick:g}" if self.axis.log else f"{tick:.{digits}f}")
            label = label.replace("-", "\u2212")
            self.text(x, label, "middle", style='font-size="12"', y=bottom + 19)
        neutral = 1.0 if self.axis.log else 0.0
        if not any(self.axis.cuts(neutral, neutral)):
            self.line(self.axis.x(neutral), 38, self.axis.x(neutral), bottom, "#8a8a8a", 1.2)
        if self.forest.pool and not any(self.axis.cuts(*[self.forest.pool["estimate"]] * 2)):
            x = self.axis.x(self.forest.pool["estimate"])
            self.line(x, 38, x, bottom, INK, 0.8, "2 3")
        self.line(PLOT[0], bottom, PLOT[1], bottom)
        scale = "natural" if self.scale == "identity" else self.scale
        self.text(sum(PLOT) / 2, f"{name}, {'log' if self.axis.log else 'linear'} axis; pooled on "
                  f"the {scale} scale", "middle", SOFT, 'font-size="12"', y=bottom + 38)
        self.y = bottom + 62
        return self.parts + rows

    def svg(self) -> str:
        sites, pool = self.forest.sites, self.forest.pool
        external = [row for row in sites if row["site_role"] == "external"]
        for row in external:
            self.site(row)
        if len(external) < len(sites):
            self.heading("Not external, never in the pool")
            for row in sites:
                if row["site_role"] != "external":
                    self.site(row)
        if pool:
            self.pool(pool)
        else:
            self.text(NAME_X, self.forest.reason or "No pool.", style='font-weight="bold"')
            self.y += ROW
        body = self.frame()
        self.parts = []
        for words in self.notes():
            self.text(NAME_X, words, colour=SOFT, style='font-size="12"')
            self.y += 18
        title = escape(f"Forest plot: {name_of(self.metric)} of {self.forest.key['model']} for "
                       f"{self.forest.key['endpoint']}")
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y:.0f}" '
                f'width="{WIDTH}" height="{self.y:.0f}" role="img" font-size="13" '
                f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif">\n'
                f"<title>{title}</title>\n"
                f'<rect width="100%" height="100%" fill="#fff"/>\n'
                + "\n".join(body + self.parts) + "\n</svg>\n")

    def notes(self) -> list[str]:
        """What a reader must know beside the drawing."""
        pool, notes = self.forest.pool, []
        if pool:
            tau2 = f"\u03c4\u00b2 = {pool['tau2']:.3f}"
            if pool["tau2_low"] is not None:
                level = share(pool["ci_level"])
                tau2 += f" ({level} CI {pool['tau2_low']:.3f} to {pool['tau2_high']:.3f})"
            notes.append(f"Heterogeneity: {tau2}, I\u00b2 = {pool['i2']:.0f}%, Q({pool['q_df']}) = "
                         f"{pool['q']:.2f}, p {p_value(pool['q_p'])}. {capital(pool['method'])}.")
            if pool["withheld_sites"]:
                words = f"Withheld, not at random: {pool['withheld_sites']}"
                if pool["bound_low"] is not None and pool["bound_high"] is not None:
                    low, high = (shown(pool[end], self.metric, self.scale)
                                 for end in ("bound_low", "bound_high"))
                    words += f"; with its values the mean would lie between {low} and {high}"
                notes.append(words + ".")
        area = "Area of a square: weight in the pool. " if pool else ""
        notes.append(f"{area}Arrow: the interval goes on beyond the axis. Counts as released, "
                     "after disclosure control.")
        return notes


def counted(row: dict[str, Any]) -> str:
    """`139 / 200`; a dash for a number that is not there."""
    return " / ".join("\u2013" if row[name] is None else str(row[name])
                      for name in ("n_events", "n"))


def capital(words: str) -> str:
    """The words as the start of a sentence."""
    return words[:1].upper() + words[1:]


def clipped(text: object, length: int) -> str:
    """Text in at most `length` characters."""
    words = str(text)
    return words if len(words) <= length else words[: length - 1] + "\u2026"


# %%
Path(figure_path).write_text(Drawing(forest).svg(), encoding="utf-8")
print(f"wrote {figure_path}")

# %% [markdown]
# In Jupyter, show it:
#
#     from IPython.display import SVG
#     SVG(figure_path)
