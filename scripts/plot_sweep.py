#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the Pareto fronts of `bitstrata sweep`: reads its JSON on stdin, writes one SVG a network into the folder named.

  plot_sweep.py FOLDER < pictures.json

{"technology": name, "size": label of the size axis,
 "fronts": [{"title", "network", "points": [[latency_us, size, energy_pj or null, is_on_front]]}]}

Two panels: latency over size, and latency over energy where there is any. Exit status 3: matplotlib is not there.
"""
import json
import pathlib
import sys

try:
    import matplotlib
except ImportError:
    sys.exit(3)

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = ["#3b6ea5", "#d9822b", "#4f9d69", "#a3527f", "#8a7a4f", "#5aa7b5", "#b5483a", "#6b6b6b"]
INK, GRID = "#333a45", "#e3e6ea"

plt.rcParams.update({
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#b8bec7",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
})


def lower_hull(points, column):
    """The points that nothing beats in latency and `column` alone, by rising latency."""
    best, hull = None, []
    for point in sorted(points, key=lambda p: (p[0], p[column])):
        if best is None or point[column] < best:
            best = point[column]
            hull.append(point)
    return hull


def draw(axes, fronts, column, label, scale):
    for index, front in enumerate(fronts):
        colour = COLOURS[index % len(COLOURS)]
        points = [p for p in front["points"] if p[column] is not None]
        chosen = [p for p in points if p[3]]
        axes.scatter([scale * p[column] for p in points], [p[0] for p in points], s=6, color=colour, alpha=0.25,
                     linewidths=0, rasterized=len(points) > 5000)
        axes.scatter([scale * p[column] for p in chosen], [p[0] for p in chosen], s=18, color=colour,
                     label=front["title"])
        hull = lower_hull(chosen, column)
        axes.plot([scale * p[column] for p in hull], [p[0] for p in hull], color=colour, linewidth=1,
                  drawstyle="steps-post")
    axes.set_xlabel(label)
    axes.set_ylabel("latency of an image (us)")
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.grid(color=GRID, which="both", linewidth=0.5)


def main():
    folder = pathlib.Path(sys.argv[1])
    data = json.load(sys.stdin)
    networks = []
    for front in data["fronts"]:
        if front["network"] not in networks:
            networks.append(front["network"])
    for network in networks:
        fronts = [front for front in data["fronts"] if front["network"] == network]
        energy = any(p[2] is not None for front in fronts for p in front["points"])
        figure, panels = plt.subplots(1, 2 if energy else 1, figsize=(11 if energy else 6, 4.2), layout="constrained",
                                      squeeze=False)
        draw(panels[0][0], fronts, 1, data["size"], 1)
        if energy:
            draw(panels[0][1], fronts, 2, f"energy of an image (nJ), {data['technology']}", 1e-3)
        if len(fronts) <= 12:
            panels[0][0].legend(fontsize=8)
        figure.suptitle(f"{network}: points of the sweep, and those that nothing beats")
        name = "pareto-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in network)
        plt.rcParams["svg.hashsalt"] = name
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
