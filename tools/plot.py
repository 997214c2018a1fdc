#!/usr/bin/env python3
"""Draws the plots of docs/bench/ from bench-results/*.jsonl: SVG, without libraries. A plot whose benchmark was not run is left as it is.

Bars start at zero; where values lie orders of magnitude apart the axis is logarithmic, points stand in the place of bars, and the axis says so.

Usage: plot.py [--results FOLDER] [--out FOLDER]
"""

import argparse
import html
import json
import math
import pathlib

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 24, 84, 74
COLORS = ("#1f5fa8", "#c8571b", "#5b8c2a", "#8a5aa5", "#7a7a7a")
FONT = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"'
SIZES = {"4k": "4 KiB", "64k": "64 KiB", "specmail": "SPECmail mix", "power2": "power-of-two mix"}


def text_of(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def axis_text(value):
    return f"{value:,.10f}".rstrip("0").rstrip(".")


class Plot:
    """A plot area with a title, an axis of values and a legend; what is drawn is added to `parts`."""

    def __init__(self, title, subtitle, unit):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
        self.text(LEFT, 26, title, 17, weight="bold")
        self.text(LEFT, 45, subtitle, 12, color="#555")
        self.unit = unit
        self.to_y = None

    def text(self, x, y, words, size=12, anchor="start", color="#222", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}" font-weight="{weight}">'
                          f"{html.escape(words)}</text>")

    def line(self, x1, y1, x2, y2, color="#ddd", width=1.0, dash=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"'
                          + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")

    def linear(self, most):
        """An axis from zero."""
        step = 10 ** math.floor(math.log10(most))
        step *= 0.2 if most / step < 2 else 0.5 if most / step < 5 else 1
        top = math.ceil(most / step * 1.08) * step
        self.to_y = lambda value: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
        self.grid([step * i for i in range(int(top / step + 0.5) + 1)])

    def logarithmic(self, least, most):
        low, high = math.floor(math.log10(least)), math.ceil(math.log10(most * 1.05))
        self.to_y = lambda value: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - low) / (high - low)
        self.unit += ", logarithmic"
        self.grid([10.0 ** i for i in range(low, high + 1)])

    def grid(self, values):
        for value in values:
            self.line(LEFT, self.to_y(value), WIDTH - RIGHT, self.to_y(value))
            self.text(LEFT - 7, self.to_y(value) + 4, axis_text(round(value, 6)), 12, "end")
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self.parts.append(f'<text transform="translate(18 {middle:.0f}) rotate(-90)" font-size="12" text-anchor="middle" fill="#222">{html.escape(self.unit)}</text>')

    def legend(self, names):
        x = LEFT
        for name, color in names:
            self.parts.append(f'<rect x="{x:.1f}" y="57" width="12" height="12" fill="{color}"/>')
            self.text(x + 17, 67, name)
            x += 34 + 7.0 * len(name)

    def mark(self, value, words):
        """A bar to be kept, as a dashed line."""
        self.line(LEFT, self.to_y(value), WIDTH - RIGHT, self.to_y(value), "#b00020", 1.3, "6 4")
        self.text(WIDTH - RIGHT, self.to_y(value) - 5, words, 11, "end", "#b00020")

    def svg(self):
        self.line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#222")
        return "\n".join([*self.parts, "</svg>", ""])


def draw_bars(plot, groups, names, below=""):
    """`groups`: (label, a value or None for each name)."""
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    width = min(64, room * 0.8 / len(names))
    for i, (label, values) in enumerate(groups):
        start = LEFT + room * (i + 0.5) - width * len(names) / 2
        for n, value in enumerate(values):
            if value is None:
                continue
            x, y = start + width * n, plot.to_y(value)
            plot.parts.append(f'<rect x="{x + 2:.1f}" y="{y:.1f}" width="{width - 4:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" fill="{COLORS[n]}"/>')
            plot.text(x + width / 2, y - 5, text_of(value), 11, "middle")
        plot.text(LEFT + room * (i + 0.5), HEIGHT - BOTTOM + 19, label, 12, "middle")
    plot.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 42, below, 12, "middle")
    if len(names) > 1:
        plot.legend(list(zip(names, COLORS)))


def draw_points(plot, labels, series, below, joined=True):
    """`series`: (name, a value or None for each label). Points are joined by lines, or have their values beside them."""
    room = (WIDTH - LEFT - RIGHT) / len(labels)
    for n, (_, values) in enumerate(series):
        places = [(LEFT + room * (i + 0.5), plot.to_y(value)) for i, value in enumerate(values) if value]
        if joined:
            plot.parts.append('<polyline fill="none" stroke-width="2" stroke="' + COLORS[n] + '" points="'
                              + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
        else:
            for (x, y), value in zip(places, [value for value in values if value]):
                plot.text(x + 9, y + 4, text_of(value), 11)
        for x, y in places:
            plot.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLORS[n]}"/>')
    for i, label in enumerate(labels):
        plot.text(LEFT + room * (i + 0.5), HEIGHT - BOTTOM + 19, label, 12, "middle")
    plot.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 42, below, 12, "middle")
    plot.legend([(name, COLORS[n]) for n, (name, _) in enumerate(series)])


class Figures:
    """The newest row of each case and metric of all benchmarks."""

    def __init__(self, folder):
        self.rows = {}
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self.rows[row["bench"], row["case"], row["metric"]] = row

    def get(self, bench, case, metric):
        return self.rows.get((bench, case, metric))

    def value(self, bench, case, metric, key="value"):
        row = self.get(bench, case, metric)
        return row[key] if row else None


def plot_throughput(figures):
    """For 4 KiB mails: mails a second by writers, with what the disk takes at the same write size."""
    writers = ("1", "8", "64", "512")
    series = [("MFFS", [figures.value("mffs", f"4k-{w}", "mails/s vs file") for w in writers])]
    for engine, name in (("rocksdb", "RocksDB, WAL sync"), ("sqlite", "SQLite, FULL"), ("file", "a file a mail")):
        series.append((name, [figures.value("mffs", f"4k-{w}", f"mails/s vs {engine}", "peer_value") for w in writers]))
    disk = [figures.value("mffs", "4k-64", "MB/s vs dsync", "peer_value"), figures.value("mffs", "4k-512", "MB/s vs dsync", "peer_value")]
    waits = figures.value("mffs", "4k-1", "p50 wait vs dsync", "peer_value")
    of_disk = [1e6 / waits if waits else None, None] + [rate * 1e6 / 4096 if rate else None for rate in disk]
    values = [value for _, row in series for value in row if value]
    if not any(series[0][1]):
        return None
    plot = Plot("Durable mails of 4 KiB by concurrent writers", "disk: fio, sequential dsync writes of 4 KiB, 256 KiB and 1 MiB, as 4 KiB mails", "mails a second")
    plot.logarithmic(min(values), max([*values, *[value for value in of_disk if value]]))
    draw_points(plot, writers, [*series, ("the disk", of_disk)], "writers")
    return plot.svg()


def plot_ablation(figures, what, cases):
    """`what` off and on, on both disks."""
    groups = []
    for case, words in cases:
        for disk in ("plain disk", "limited disk"):
            row = figures.get("mffs", case, f"mails/s, {disk}")
            if row:
                groups.append((f"{words}{disk}", (row["peer_value"], row["value"])))
    if not groups:
        return None
    subtitle = "mails of 4 KiB; limited disk: 200 operations/s and 100 MB/s, a throttle in the benchmark"
    values = [value for _, pair in groups for value in pair]
    plot = Plot(f"{what} off and on", subtitle, "mails a second")
    if max(values) / min(values) < 30:
        plot.linear(max(values))
        draw_bars(plot, groups, (f"{what.lower()} off", f"{what.lower()} on"))
    else:
        plot.logarithmic(min(values), max(values))
        series = [(f"{what.lower()} off", [pair[0] for _, pair in groups]), (f"{what.lower()} on", [pair[1] for _, pair in groups])]
        draw_points(plot, [label for label, _ in groups], series, "", joined=False)
    return plot.svg()


def plot_streams(figures):
    groups = []
    for disk in ("plain disk", "limited disk"):
        pair = [figures.value("mffs", f"streams {state}", f"device bytes, {disk}", "ratio") for state in ("off", "on")]
        if all(pair):
            groups.append((disk, pair))
    if not groups:
        return None
    plot = Plot("Streams off and on: write amplification", "parked mail (2/5 of the volume, stays) among transit mail (goes soon)", "device bytes / appended bytes")
    plot.linear(max(value for _, pair in groups for value in pair))
    draw_bars(plot, groups, ("one stream", "parked mail in its own"))
    return plot.svg()


def plot_amplification(figures):
    groups = []
    queue = figures.get("mffs", "amplification", "device bytes")
    if queue:
        groups.append(("queue fills, drains", (queue["ratio"], queue["bar"])))
    for lives in ("uniform", "skewed"):
        for size in ("4k", "specmail"):
            row = figures.get("mffs", f"mailbox-{size}", f"device bytes, {lives}")
            if row:
                groups.append((f"{lives}, {SIZES[size]}", (row["ratio"], row["bar"])))
    if not groups:
        return None
    plot = Plot("Write amplification in steady state", "counted at the device; mailbox volume 80 % full; deletions of any mail, or four of five in the same mailboxes", "device bytes / appended bytes")
    plot.linear(max(value for _, pair in groups for value in pair))
    draw_bars(plot, groups, ("measured", "at most"))
    return plot.svg()


def plot_reopening(figures):
    counts = sorted({int(case.split("-")[0]) for bench, case, _ in figures.rows if bench == "reopen" and case.endswith("-queued") and "-to-" not in case})
    cases = [(f"{count:,} queued mails", f"{count}-queued") for count in counts if count >= 100_000] + [("16 GiB, 90 % full", "full-volume")]
    closings = ("after kill -9", "after a clean stop")
    groups = [(label, [figures.value("reopen", case, f"ready {closing}") for closing in closings]) for label, case in cases]
    groups = [(label, values) for label, values in groups if any(values)]
    if not groups:
        return None
    plot = Plot("Reopening: from the start of the process to the SMTP greeting", "open for writing, the queue in memory", "seconds")
    plot.linear(max(2.0, *[value for _, values in groups for value in values if value]))
    draw_bars(plot, groups, closings)
    plot.mark(2.0, "to stay below")
    return plot.svg()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default="bench-results", type=pathlib.Path)
    parser.add_argument("--out", default="docs/bench", type=pathlib.Path)
    arguments = parser.parse_args()
    figures = Figures(arguments.results)
    arguments.out.mkdir(parents=True, exist_ok=True)
    plots = {
        "throughput": plot_throughput(figures),
        "gathering": plot_ablation(figures, "Gathering", (("gathering-64", "64 writers, "), ("gathering-512", "512 writers, "))),
        "prefetch": plot_ablation(figures, "Prefetch", (("prefetch", ""),)),
        "streams": plot_streams(figures),
        "amplification": plot_amplification(figures),
        "reopening": plot_reopening(figures),
    }
    for name, svg in plots.items():
        if svg is None:
            print(f"{name}: no figures in {arguments.results}")
            continue
        (arguments.out / f"{name}.svg").write_text(svg)
        print(f"{name}: {arguments.out / name}.svg")


if __name__ == "__main__":
    main()
