"""Times the peers on the masks of the bench `surface` and prints their figures beside ours.

    python surface.py CRITERION_FOLDER DATA_FOLDER

Every peer is asked for Dice, HD95, average surface distance and surface Dice at 2 mm, under its
own convention and on one thread; ours are all conventions at once. Each call is a process of its
own. Figures are processor time of the call alone, median of five (fewer where five would take
over a minute; the table says how many), and the most memory the process had. The last two columns
are two pairs at once: two threads of ours, two processes of theirs, by the clock from the first
call's begin to the last one's end. Whatever cannot be had is named on standard error and left out.
"""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

SIZES = {
    "64x64x64": ((1, 1, 1), (1.0, 1.0, 1.0)),
    "128x128x128": ((2, 2, 2), (1.0, 1.0, 1.0)),
    "128x128x64": ((2, 2, 1), (0.75, 0.75, 2.5)),
    "256x256x256": ((4, 4, 4), (1.0, 1.0, 1.0)),
    "512x512x300": ((8, 8, 4), (0.75, 0.75, 1.5)),
}
TRUTH = [
    ("set", (62, 60, 66), (40, 34, 44)),
    ("clear", (74, 64, 60), (10, 9, 12)),
    ("set", (16, 104, 104), (7, 7, 7)),
    ("set", (108, 20, 24), (5, 5, 6)),
    ("set", (20, 20, 110), (4, 4, 4)),
]
PREDICTION = [
    ("set", (64, 62, 64), (38, 36, 43)),
    ("clear", (72, 64, 62), (9, 10, 11)),
    ("set", (18, 103, 105), (6, 8, 7)),
    ("set", (106, 21, 24), (5, 4, 6)),
    ("set", (110, 108, 20), (5, 5, 5)),
    ("cut", (64, 28, 64), (12, 4, 12)),
]


def mask(solids, size):
    """A mask by the bench's solids; all sums are whole numbers below 2^63."""
    import numpy as np

    shape = tuple(int(extent) for extent in size.split("x"))
    scale, _ = SIZES[size]
    made = np.zeros(shape, dtype=bool)
    for act, centre, radius in solids:
        centre = [value * factor for value, factor in zip(centre, scale)]
        radius = [value * factor for value, factor in zip(radius, scale)]
        spans, parts = [], []
        for axis in range(3):
            low = max(0, (centre[axis] - radius[axis] + 1) // 2)
            high = min(shape[axis], (centre[axis] + radius[axis]) // 2 + 1)
            spans.append(slice(low, high))
            apart = 2 * np.arange(low, high, dtype=np.int64) - centre[axis]
            others = radius[(axis + 1) % 3] * radius[(axis + 2) % 3]
            parts.append((apart * others) ** 2)
        whole = (radius[0] * radius[1] * radius[2]) ** 2
        inside = parts[0][:, None, None] + parts[1][:, None] + parts[2] <= whole
        made[tuple(spans)][inside | (act == "cut")] = act == "set"
    return made


def surface_distance(truth, prediction, spacing):
    import surface_distance as peer

    distances = peer.compute_surface_distances(truth, prediction, spacing)
    return (
        peer.compute_dice_coefficient(truth, prediction),
        peer.compute_robust_hausdorff(distances, 95),
        peer.compute_average_surface_distance(distances),
        peer.compute_surface_dice_at_tolerance(distances, 2.0),
    )


def monai(truth, prediction, spacing):
    import torch
    from monai import metrics

    torch.set_num_threads(1)
    y, p = (torch.from_numpy(one)[None, None] for one in (truth, prediction))
    return (
        metrics.compute_dice(p, y),
        metrics.compute_hausdorff_distance(p, y, True, percentile=95, spacing=spacing),
        metrics.compute_average_surface_distance(p, y, True, symmetric=True, spacing=spacing),
        metrics.compute_surface_dice(p, y, [2.0], True, spacing=spacing),
    )


def simpleitk(truth, prediction, spacing):
    import numpy as np
    import SimpleITK as itk

    itk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    images = []
    for one in (truth, prediction):
        image = itk.GetImageFromArray(one.astype(np.uint8))
        image.SetSpacing([float(value) for value in reversed(spacing)])
        images.append(image)
    overlap = itk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    both = []
    for one, other in (images, images[::-1]):
        distance = itk.Abs(
            itk.SignedMaurerDistanceMap(one, squaredDistance=False, useImageSpacing=True)
        )
        contour = itk.LabelContour(other, fullyConnected=False)
        both.append(itk.GetArrayFromImage(distance)[itk.GetArrayFromImage(contour) == 1])
    joined = np.concatenate(both)
    return (
        overlap.GetDiceCoefficient(),
        max(np.percentile(one, 95) for one in both),
        joined.mean(),
        (joined <= 2.0).mean(),
    )


def scipy(truth, prediction, spacing):
    """The definitions as a careful script has them: cropped, double precision."""
    import numpy as np
    from scipy import ndimage

    either = np.logical_or(truth, prediction)
    box = ndimage.find_objects(either.astype(np.uint8))[0]
    truth, prediction = (np.pad(one[box], 1) for one in (truth, prediction))
    borders = [one & ~ndimage.binary_erosion(one) for one in (truth, prediction)]
    both = []
    for one, other in (borders, borders[::-1]):
        both.append(ndimage.distance_transform_edt(~other, sampling=spacing)[one])
    joined = np.concatenate(both)
    return (
        2 * (truth & prediction).sum() / (truth.sum() + prediction.sum()),
        max(np.percentile(one, 95) for one in both),
        joined.mean(),
        (joined <= 2.0).mean(),
    )


PEERS = {
    "surface-distance": surface_distance,
    "MONAI": monai,
    "SimpleITK": simpleitk,
    "scipy, cropped": scipy,
}


def once(peer, size):
    """One call in this process: seconds of processor time, MiB, and what it said."""
    truth, prediction = mask(TRUTH, size), mask(PREDICTION, size)
    spacing = SIZES[size][1]
    small = mask(TRUTH, "64x64x64"), mask(PREDICTION, "64x64x64")
    # Imports and first calls are not what is compared.
    PEERS[peer](*small, spacing)
    print("ready", flush=True)
    sys.stdin.readline()
    begun, clock = time.process_time(), time.monotonic()
    said = PEERS[peer](truth, prediction, spacing)
    spent, end = time.process_time() - begun, time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([spent, memory, repr(said), clock, end]))


def together(peer, size, count):
    """What `count` processes print that make one call each, all begun at the same time."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--once", peer, size],
            env={**os.environ, **threads},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    ready = [one.stdout.readline() for one in started]
    for one in started:
        if all(ready):
            one.stdin.write("go\n")
            one.stdin.flush()
    found = []
    for one in started:
        out, err = one.communicate()
        if one.returncode != 0 or not all(ready):
            why = (err.strip().splitlines() or ["no reason given"])[-1]
            print(f"SKIPPED {peer}, {size}: {why}", file=sys.stderr)
            found = None
        elif found is not None:
            found.append(json.loads(out.splitlines()[-1]))
    return found


def timed(peer, size):
    """Median seconds, MiB and calls; nothing where the peer cannot be had."""
    found, started = [], time.monotonic()
    while len(found) < 5 and (not found or time.monotonic() - started < 60):
        done = together(peer, size, 1)
        if done is None:
            return None
        found += done
    print(f"{size}, {peer}: {found[0][2]}", file=sys.stderr)
    seconds, memory = (statistics.median(one[at] for one in found) for at in (0, 1))
    return seconds, memory, len(found)


def timed_two(peer, size):
    """Seconds by the clock for two pairs at once, the least of three."""
    found = []
    for _ in range(3):
        both = together(peer, size, 2)
        if both is None:
            return None
        found.append(max(one[4] for one in both) - min(one[3] for one in both))
    return min(found)


def criterion(folder):
    """Our medians in seconds, by bench and size."""
    found = {}
    for path in folder.glob("**/new/benchmark.json"):
        name = json.loads(path.read_text())["full_id"]
        estimates = json.loads(path.with_name("estimates.json").read_text())
        found[name] = estimates["median"]["point_estimate"] / 1e9
    return found


def printed(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def main(folder, data):
    ours = criterion(pathlib.Path(folder))
    print("| surfaces | ours | peer | theirs | theirs / ours | two at once: ours, theirs | theirs / ours |")
    print("|---|---|---|---|---|---|---|")
    for size in SIZES:
        own, own_two = ours.get(f"surfaces/{size}"), ours.get(f"two/{size}")
        peak = pathlib.Path(data) / f"surfaces-{size}.txt"
        memory = f", {peak.read_text()} MiB" if peak.is_file() else ""
        mark = f"{printed(own)}{memory}" if own else "not measured"
        for peer in PEERS:
            found = timed(peer, size)
            if found is None:
                continue
            seconds, most, calls = found
            shown = f"{printed(seconds)}, {most:.0f} MiB" + ("" if calls == 5 else f" ({calls} calls)")
            ratio = f"{seconds / own:.1f}" if own else ""
            two = timed_two(peer, size)
            both, more = "not measured", ""
            if two and own_two:
                both, more = f"{printed(own_two)}, {printed(two)}", f"{two / own_two:.1f}"
            row = (size, mark, peer, shown, ratio, both, more)
            print(f"| {' | '.join(row)} |", flush=True)


if sys.argv[1] == "--once":
    once(sys.argv[2], sys.argv[3])
else:
    main(sys.argv[1], sys.argv[2])
