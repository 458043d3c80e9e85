#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of `bitstrata report`: reads its JSON on stdin, writes one SVG a picture into the folder named.

  plot_report.py FOLDER < pictures.json

{"technologies": [{"name", "status"}],
 "rows": [{"name", "network", "accuracy", "energy_pj": {technology: pJ},
           "layers": [{"layer", "weight_bits", "activation_bits", "latency_us", "energy_pj": {technology: pJ}}]}]}

Every figure is optional; what no row has is not drawn. Exit status 3: matplotlib is not there.
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
    "svg.fonttype": "none",  # text stays text: small files that can be searched
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


def save(figure, folder, name):
    # The salt makes identifiers differ between pictures of one page and stay the same from run to run.
    plt.rcParams["svg.hashsalt"] = name
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def layer_names(rows):
    """In the order of the network: some folders know of weight layers only, so the longest list goes first."""
    names = []
    for row in sorted(rows, key=lambda row: -len(row["layers"])):
        names += [entry["layer"] for entry in row["layers"] if entry["layer"] not in names]
    return names


def grouped_bars(rows, value, label, kinds=(None,)):
    """One group a layer, one bar a row (for each of `kinds`, the second pale)."""
    names = layer_names(rows)
    count = len(rows) * len(kinds)
    width = 0.8 / count
    # Half a page for a few bars, the whole width for many.
    figure, axes = plt.subplots(figsize=(6.0 if len(names) * count <= 48 else 12.2, 3.2), layout="constrained")
    for r, row in enumerate(rows):
        entries = {entry["layer"]: entry for entry in row["layers"]}
        for k, kind in enumerate(kinds):
            xs, ys = [], []
            for x, name in enumerate(names):
                y = value(entries[name], kind) if name in entries else None
                if y is not None:
                    xs.append(x - 0.4 + (r * len(kinds) + k + 0.5) * width)
                    ys.append(y)
            axes.bar(xs, ys, width * 0.92, color=row["colour"], alpha=0.45 if k else 1.0,
                     label="_" if k else row["name"])
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) <= 10 else 60)
    axes.set_ylabel(label)
    axes.grid(axis="y", color=GRID)
    axes.tick_params(axis="x", length=0)
    if len(rows) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.3, ncols=min(len(rows), 4), fontsize=8,
                    handlelength=1.2, columnspacing=1.2)
    return figure


def draw_layers(folder, suffix, rows, technologies):
    with_layers = [row for row in rows if row["layers"]]
    if not with_layers:
        return
    figure = grouped_bars(with_layers, lambda entry, kind: entry.get(f"{kind}_bits"), "bits", ("weight", "activation"))
    figure.axes[0].yaxis.get_major_locator().set_params(integer=True)
    save(figure, folder, f"bits{suffix}")
    timed = [row for row in with_layers if any("latency_us" in entry for entry in row["layers"])]
    if timed:
        save(grouped_bars(timed, lambda entry, _: entry.get("latency_us"), "latency (µs)"), folder, f"latency{suffix}")
    for technology in technologies:
        name = technology["name"]
        priced = [row for row in with_layers if any(name in entry.get("energy_pj", {}) for entry in row["layers"])]
        if priced:
            label = f"energy (nJ)\n{name}, {technology['status']}"
            figure = grouped_bars(
                priced,
                lambda entry, _: 1e-3 * entry["energy_pj"][name] if name in entry.get("energy_pj", {}) else None, label)
            save(figure, folder, f"energy{suffix}-{name}")


def draw_trade(folder, rows, technologies):
    for technology in technologies:
        name = technology["name"]
        points = [row for row in rows if row.get("accuracy") is not None and name in row["energy_pj"]]
        if len(points) < 2:
            continue
        figure, axes = plt.subplots(figsize=(6.0, 3.2), layout="constrained")
        for row in points:
            x, y = 1e-3 * row["energy_pj"][name], 100 * row["accuracy"]
            axes.plot(x, y, "o", markersize=8, color=row["colour"])
            axes.annotate(row["name"], (x, y), xytext=(7, 4), textcoords="offset points", fontsize=9)
        axes.margins(0.18)
        axes.set_xlabel(f"energy of an image (nJ), {name}, {technology['status']}")
        axes.set_ylabel("accuracy (%)")
        axes.grid(color=GRID)
        save(figure, folder, f"trade-{name}")


def main():
    folder = pathlib.Path(sys.argv[1])
    data = json.load(sys.stdin)
    networks = []
    for index, row in enumerate(data["rows"]):
        row["colour"] = COLOURS[index % len(COLOURS)]  # the same in every picture
        if row["network"] not in networks:
            networks.append(row["network"])
    # Layers of different networks have nothing to share an axis for.
    for index, network in enumerate(networks):
        draw_layers(folder, f"-{index}", [row for row in data["rows"] if row["network"] == network],
                    data["technologies"])
    draw_trade(folder, data["rows"], data["technologies"])


if __name__ == "__main__":
    main()
