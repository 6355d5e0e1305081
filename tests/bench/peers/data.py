"""The table of the benches as numpy arrays: the same bits as data.rs makes."""

import numpy as np

LEVELS = 5
AXES = 6


def unit(seed, places):
    """Numbers in [0, 1) at the given places of the stream `seed` (SplitMix64)."""
    with np.errstate(over="ignore"):
        z = places.astype(np.uint64) + np.uint64(1) + np.uint64(seed << 40)
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def event(rows):
    return unit(1, np.arange(rows)) < 0.3


def score(model, rows):
    seed, places = 10 * (model + 1), np.arange(rows)
    bell = (unit(seed, places) + unit(seed + 1, places) + unit(seed + 2, places)) / 3.0
    return 0.85 * bell + np.where(event(rows), 0.15, 0.0)


def level(axis, rows):
    return (unit(100 + axis, np.arange(rows)) * LEVELS).astype(np.int64)


def sites(k):
    places = np.arange(k)
    return 1.4 + unit(7, places) - 0.5, 0.02 + 0.08 * unit(8, places)
