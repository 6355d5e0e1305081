"""Times the peers on the table of the benches and prints their figures beside ours.

    python compare.py CRITERION_FOLDER DATA_FOLDER NODE_PROGRAM

Figures are processor time, median of five calls (fewer where five would take over 20 s; the
table says how many). Whatever cannot be had is named on standard error and left out.
"""

import importlib
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

import data

CRITERION, FOLDER, NODE = (pathlib.Path(argument) for argument in sys.argv[1:4])
HERE = pathlib.Path(__file__).resolve().parent
GOALS = {
    "S1 auc/10000000": 700,
    "S2 auc and variance/100000": 4,
    "S2 auc and variance/1000000": 55,
    "S3 bootstrap auc/1000": 10,
    "S3 bootstrap auc/100000": 500,
    "S4 calibration line/100000": 6,
    "S4 calibration line/1000000": 70,
    "S5 net benefit/100000": 0.5,
    "S5 net benefit/1000000": 5,
    "S6 subgroups/100000": 8,
    "S6 subgroups/1000000": 100,
    "S7 random effects/5": 0.1,
    "S7 random effects/30": 0.3,
    "S8 csv/1000000": 250,
    "S9 parquet/1000000": 120,
    "S10 site job csv/1000000": 900,
    "S10 site job parquet/1000000": 700,
}
peers = {}


def skipped(what, why):
    print(f"SKIPPED {what}: {why}", file=sys.stderr)


def module(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        skipped(name, error)
        return None


def timed(task, peer, call):
    """Enters the median processor time of `call`, in milliseconds."""
    times, started = [], time.monotonic()
    while len(times) < 5 and (not times or time.monotonic() - started < 20):
        begun = time.process_time()
        call()
        times.append(1000 * (time.process_time() - begun))
    peers.setdefault(task, []).append((peer, statistics.median(times), len(times)))


def delong(y, s):
    rankdata = sys.modules["scipy.stats"].rankdata
    x, z = s[y], s[~y]
    both = rankdata(np.concatenate([x, z]))
    v10 = (both[: len(x)] - rankdata(x)) / len(z)
    v01 = 1 - (both[len(x) :] - rankdata(z)) / len(x)
    return v10.mean(), v10.var(ddof=1) / len(x) + v01.var(ddof=1) / len(z)


def areas(metrics):
    y, s = data.event(10_000_000), data.score(0, 10_000_000)
    if metrics:
        timed("S1 auc/10000000", "scikit-learn", lambda: metrics.roc_auc_score(y, s))
    if module("scipy.stats"):
        for rows in (100_000, 1_000_000):
            task = f"S2 auc and variance/{rows}"
            timed(task, "numpy by the formula", lambda: delong(y[:rows], s[:rows]))
    for rows in (1000, 100_000):
        bootstrap(metrics, y[:rows], s[:rows], rows)


def bootstrap(metrics, y, s, rows):
    """2,000 resamples, scaled from fewer where each takes long."""
    resamples = 2000 if rows <= 1000 else 100
    draw = np.random.default_rng(1)
    task = f"S3 bootstrap auc/{rows}"

    def loop():
        for _ in range(resamples):
            chosen = draw.integers(0, rows, rows)
            metrics.roc_auc_score(y[chosen], s[chosen])

    order = np.argsort(s, kind="stable")
    place = np.empty(rows, dtype=np.int64)
    place[order] = np.arange(rows)
    sorted_y = y[order]
    starts = np.flatnonzero(np.r_[True, np.diff(s[order]) > 0])

    def once_sorted():
        for _ in range(resamples):
            weight = np.bincount(draw.integers(0, rows, rows), minlength=rows)
            events = np.add.reduceat(np.where(sorted_y, weight, 0), starts)
            others = np.add.reduceat(np.where(sorted_y, 0, weight), starts)
            below = np.cumsum(others) - others / 2
            (events * below).sum() / (events.sum() * others.sum())

    for name, call in (("scikit-learn in a loop", loop), ("numpy sorted once", once_sorted)):
        if call is loop and not metrics:
            continue
        timed(task, name, call)
        peer, found, calls = peers[task].pop()
        peers[task].append((peer, found * 2000 / resamples, calls))


def lines(models):
    for rows in (100_000, 1_000_000):
        y, p = data.event(rows).astype(float), np.clip(data.score(0, rows), 1e-6, 1 - 1e-6)
        x = np.column_stack([np.ones(rows), np.log(p / (1 - p))])
        if models:
            task = f"S4 calibration line/{rows}"
            timed(task, "statsmodels Logit", lambda: models.Logit(y, x).fit(disp=0).bse)


def benefits(frames, curves):
    thresholds = np.arange(1, 100) / 100
    for rows in (100_000, 1_000_000):
        y, p = data.event(rows), data.score(0, rows)

        def binned():
            bins = np.searchsorted(thresholds, p, side="right")
            tp = np.bincount(bins[y], minlength=100)[::-1].cumsum()[::-1][1:]
            fp = np.bincount(bins[~y], minlength=100)[::-1].cumsum()[::-1][1:]
            return tp / rows - fp / rows * thresholds / (1 - thresholds)

        timed(f"S5 net benefit/{rows}", "numpy binned", binned)
        if frames and curves and rows == 100_000:
            table = frames.DataFrame({"y": y.astype(int), "p": p})
            timed(
                f"S5 net benefit/{rows}",
                "dcurves",
                lambda: curves.dca(data=table, outcome="y", modelnames=["p"], thresholds=thresholds),
            )


def subgroups(frames, metrics, fairlearn):
    for rows in (100_000, 1_000_000):
        y, s = data.event(rows), data.score(0, rows)
        positive = s >= 0.5
        axes = [data.level(axis, rows) for axis in range(data.AXES)]
        task = f"S6 subgroups/{rows}"

        def grouped():
            table = frames.DataFrame({"y": y, "s": s, "hit": positive})
            for axis in axes:
                for _, part in table.groupby(axis):
                    inside, hit = part["y"].to_numpy(), part["hit"].to_numpy()
                    (hit & inside).sum(), (hit & ~inside).sum(), inside.sum()
                    metrics.roc_auc_score(inside, part["s"].to_numpy())

        if frames and metrics:
            timed(task, "pandas + scikit-learn", grouped)
        if fairlearn and rows == 100_000:
            rates = {
                "count": fairlearn.count,
                "tpr": fairlearn.true_positive_rate,
                "fpr": fairlearn.false_positive_rate,
                "selection": fairlearn.selection_rate,
            }

            def frame():
                for axis in axes:
                    made = fairlearn.MetricFrame(
                        metrics=rates, y_true=y, y_pred=positive, sensitive_features=axis
                    )
                    made.by_group

            timed(task, "fairlearn (without AUC)", frame)


def tables(frames, arrow, polars):
    names = ["y", "p_a", "p_b", "age"] + [f"axis_{axis}" for axis in range(data.AXES)]
    comma, parquet = FOLDER / "table.csv", FOLDER / "table.parquet"
    if frames:
        timed("S8 csv/1000000", "pandas", lambda: frames.read_csv(comma, usecols=names))
        timed("S9 parquet/1000000", "pandas", lambda: frames.read_parquet(parquet, columns=names))
    if arrow:
        reader = importlib.import_module("pyarrow.csv")
        options = reader.ConvertOptions(include_columns=names)
        single = reader.ReadOptions(use_threads=False)
        timed(
            "S8 csv/1000000",
            "pyarrow, one thread",
            lambda: reader.read_csv(comma, read_options=single, convert_options=options),
        )
        source = importlib.import_module("pyarrow.parquet")
        timed(
            "S9 parquet/1000000",
            "pyarrow, one thread",
            lambda: source.read_table(parquet, columns=names, use_threads=False),
        )
    if polars:
        timed("S8 csv/1000000", "polars", lambda: polars.read_csv(comma, columns=names))
        timed("S9 parquet/1000000", "polars", lambda: polars.read_parquet(parquet, columns=names))


# A child's peak starts at its parent's, so a small process of its own starts the job.
STARTER = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = 1000 * (usage.ru_utime + usage.ru_stime)
print(json.dumps([done.returncode, done.stderr[-400:], cpu, usage.ru_maxrss / 1024]))
"""


def job(command):
    """Processor time in milliseconds and peak memory in MiB of a process, median of five."""
    found = []
    for _ in range(5):
        starter = [sys.executable, "-S", "-c", STARTER, *command]
        told = subprocess.run(starter, stdout=subprocess.PIPE, text=True, check=True)
        code, said, cpu, memory = json.loads(told.stdout)
        if code != 0:
            raise RuntimeError(f"{command[0]}: {said}")
        found.append((cpu, memory))
    return tuple(statistics.median(column) for column in zip(*found))


def jobs(ours):
    for form in ("csv", "parquet"):
        task, table = f"S10 site job {form}/1000000", str(FOLDER / f"table.{form}")
        if NODE.is_file():
            study = str(HERE.parent / "study.toml")
            command = [str(NODE), "measure", "--study", study, "--data", table]
            cpu, memory = job([*command, "--site", "a", "--out", str(FOLDER / "release.json")])
            ours[task] = cpu
            print(f"{task}: ours {cpu:.0f} ms, {memory:.0f} MiB at most", file=sys.stderr)
        else:
            skipped(task, f"{NODE} is not built")
        try:
            cpu, memory = job([sys.executable, str(HERE / "site_job.py"), table])
        except RuntimeError as error:
            skipped(f"{task}, Python", error)
            continue
        peers.setdefault(task, []).append((f"Python, {memory:.0f} MiB", cpu, 5))


def r_side():
    for k in (5, 30):
        rows = "\n".join(f"{yi!r},{vi!r}" for yi, vi in zip(*map(np.ndarray.tolist, data.sites(k))))
        (FOLDER / f"sites-{k}.csv").write_text(f"yi,vi\n{rows}\n")
    y, s = data.event(100_000), data.score(0, 100_000)
    np.savetxt(
        FOLDER / "scores-100000.csv", np.column_stack([y, s]), "%d,%.17g", header="y,s", comments=""
    )
    try:
        script = ["Rscript", "--vanilla", str(HERE / "pools.R"), str(FOLDER)]
        found = subprocess.run(script, stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        skipped("R's side", error)
        return
    for line in found.stdout.splitlines():
        name, figure = line.split("\t")
        peer, size = name.split("/")
        task = "S2 auc and variance" if peer.startswith("pROC") else "S7 random effects"
        peers.setdefault(f"{task}/{size}", []).append((peer, float(figure), 5))


def criterion():
    """Our medians in milliseconds, by name."""
    found = {}
    for path in CRITERION.glob("**/new/benchmark.json"):
        name = json.loads(path.read_text())["full_id"]
        estimates = json.loads(path.with_name("estimates.json").read_text())
        found[name] = estimates["median"]["point_estimate"] / 1e6
    return found


def printed(milliseconds):
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.2f} s"
    if milliseconds >= 1:
        return f"{milliseconds:.3g} ms"
    return f"{1000 * milliseconds:.3g} us"


def main():
    metrics, frames = module("sklearn.metrics"), module("pandas")
    areas(metrics)
    lines(module("statsmodels.api"))
    benefits(frames, module("dcurves"))
    subgroups(frames, metrics, module("fairlearn.metrics"))
    tables(frames, module("pyarrow"), module("polars"))
    r_side()
    ours = criterion()
    jobs(ours)
    print("| task | ours | goal | peer | theirs | theirs / ours |")
    print("|---|---|---|---|---|---|")
    for task in [*GOALS, *sorted(set(ours) - set(GOALS))]:
        own = ours.get(task)
        mark = printed(own) if own else "not measured"
        goal = printed(GOALS[task]) if task in GOALS else ""
        for peer, found, calls in peers.get(task, [("", None, 0)]):
            shown = f"{printed(found)}{'' if calls == 5 else f' ({calls} calls)'}" if found else ""
            ratio = f"{found / own:.1f}" if found and own else ""
            print(f"| {task} | {mark} | {goal} | {peer} | {shown} | {ratio} |")


main()
