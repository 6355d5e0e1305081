"""Surface distances with the tools a user can install today, on the masks of ../surface.rs.

Processor time of one call, all threads together; one line for each size and tool. Arguments: sizes
to leave out, such as 512x512x300. A tool that is not installed is named and left out.
"""

import sys
import time

import numpy as np

SIZES = [
    ((64, 64, 64), (1.0, 1.0, 1.0)),
    ((128, 128, 128), (1.0, 1.0, 1.0)),
    ((128, 128, 64), (0.75, 0.75, 2.5)),
    ((256, 256, 256), (1.0, 1.0, 1.0)),
    ((512, 512, 300), (0.75, 0.75, 1.5)),
]


def inside(shape, centre, radius):
    """An ellipsoid; centre and radius as shares of the volume."""
    axes = [(np.arange(n) / n - c) / r for n, c, r in zip(shape, centre, radius)]
    x, y, z = np.ix_(*axes)
    return x * x + y * y + z * z <= 1.0


def organ(shape, shift):
    """The organ with its hollow, and a small piece far from it."""
    body = inside(shape, (0.48 + shift, 0.47 - shift, 0.51 + shift / 2), (0.31, 0.27, 0.34))
    body &= ~inside(shape, (0.57, 0.5, 0.47), (0.08, 0.07, 0.09))
    return body | inside(shape, (0.12 + shift, 0.81, 0.81), (0.05, 0.05, 0.05))


def scipy_maps(truth, prediction, spacing):
    """Borders and two distance maps, as most scripts do it; HD95, ASSD and surface Dice."""
    from scipy import ndimage

    directed = []
    borders = [mask & ~ndimage.binary_erosion(mask) for mask in (truth, prediction)]
    for own, other in (borders, borders[::-1]):
        directed.append(ndimage.distance_transform_edt(~other, sampling=spacing)[own])
    both = np.concatenate(directed)
    return max(np.percentile(one, 95) for one in directed), both.mean(), (both <= 2.0).mean()


def surface_distance(truth, prediction, spacing):
    """HD95, average distances and surface Dice, weighted by area."""
    import surface_distance as tool

    found = tool.compute_surface_distances(truth, prediction, spacing)
    return (
        tool.compute_robust_hausdorff(found, 95),
        tool.compute_average_surface_distance(found),
        tool.compute_surface_dice_at_tolerance(found, 2.0),
    )


def medpy(truth, prediction, spacing):
    """HD95 and ASSD; it has no surface Dice."""
    from medpy.metric import binary

    return (
        binary.hd95(prediction, truth, voxelspacing=spacing),
        binary.assd(prediction, truth, voxelspacing=spacing),
    )


def main():
    """Prints what each tool takes."""
    skipped = set()
    for shape, spacing in SIZES:
        size = "x".join(str(n) for n in shape)
        if size in sys.argv[1:]:
            continue
        masks = organ(shape, 0.0), organ(shape, 0.01)
        for tool in (scipy_maps, surface_distance, medpy):
            if tool in skipped:
                continue
            start = time.process_time()
            try:
                tool(*masks, spacing)
            except ImportError as error:
                skipped.add(tool)
                print(f"SKIPPED {tool.__name__}: {error}", file=sys.stderr)
                continue
            print(f"surfaces/{size} {tool.__name__} {time.process_time() - start:.3f} s", flush=True)


if __name__ == "__main__":
    main()
