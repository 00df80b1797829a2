"""Draws what the bench measured: `plot.py bench.json benchmarks.svg`. Needs matplotlib.

One panel for each kind of work, one bar for each proxy: the median over the rounds that count, with
a line from the lowest to the highest of them.
"""

import json
import sys
from statistics import median

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

OURS, OTHERS = "#0b6e4f", "#9aa5b1"
# Work, title, what of a sample, and whether less is better.
PANELS = [
    ("keepalive", "MITM, kept connections\nrequests/s", "per_second", False),
    ("keepalive", "MITM, kept connections\nCPU µs per request", "cpu_us", True),
    ("newconn", "MITM, new connections\nconnections/s", "per_second", False),
    ("latency", "added latency, p50\nµs", "added_p50_us", True),
    ("latency", "added latency, p99\nµs", "added_p99_us", True),
    ("cold", "first handshake for a name\nlonger by µs", "added_p50_us", True),
    ("plain", "HTTP without TLS\nrequests/s", "per_second", False),
    ("stream", "tunnel, one stream\nMiB/s", "per_second", False),
    ("pingpong", "tunnel, 64 bytes there and back\nround trips/s", "per_second", False),
    ("down", "MITM, 10 MiB down\nMiB/s", "per_second", False),
    ("up", "MITM, 10 MiB up\nMiB/s", "per_second", False),
]


def values(report, work, field):
    """By proxy, the values in the rounds that count."""
    found = {}
    for one in report["rounds"]:
        if one["work"] == work and not one["disturbed"]:
            for name, sample in one["samples"]:
                if name != "no proxy":
                    found.setdefault(name, []).append(sample[field])
    order = [name for name, _ in report["threads"]]
    return sorted(found.items(), key=lambda it: order.index(it[0]) if it[0] in order else 99)


def memory(report):
    return [(name, [it["open"]["rss"] / 1024]) for name, it in report["memory"]]


def panel(axes, title, found, less):
    names = [name.replace("Exeat, ", "Exeat,\n") for name, _ in found]
    middles = [median(it) for _, it in found]
    spread = [
        [max(middle - min(it), 0) for middle, (_, it) in zip(middles, found)],
        [max(max(it) - middle, 0) for middle, (_, it) in zip(middles, found)],
    ]
    colours = [OURS if name.startswith("Exeat") else OTHERS for name in names]
    axes.barh(names, middles, xerr=spread, color=colours, ecolor="#44505c", height=0.7)
    most = max(middle + above for middle, above in zip(middles, spread[1]))
    for row, (middle, above) in enumerate(zip(middles, spread[1])):
        text = f"{middle:,.0f}" if abs(middle) >= 10 else f"{middle:.1f}"
        axes.text(max(middle + above, 0) + most * 0.02, row, text, va="center", fontsize=8)
    axes.set_xlim(left=0, right=most * 1.25)
    axes.set_title(title + (" (less is better)" if less else ""), fontsize=9, loc="left")
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.xaxis.set_visible(False)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def main(source, target):
    with open(source, encoding="utf-8") as file:
        report = json.load(file)
    panels = [(title, values(report, work, field), less) for work, title, field, less in PANELS]
    panels.append(("1,000 MITM connections\nresident MiB", memory(report), True))
    panels = [it for it in panels if it[1]]
    if not panels:
        sys.exit(f"{source} has nothing to draw")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    # The same file for the same numbers.
    plt.rcParams.update({"svg.hashsalt": "exeat", "font.family": "DejaVu Sans"})
    figure, grid = plt.subplots(rows, columns, figsize=(4.4 * columns, 2.5 * rows), squeeze=False)
    places = [axes for row in grid for axes in row]
    for axes, (title, found, less) in zip(places, panels):
        panel(axes, title, found, less)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
