# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""Charts as SVG: a bar for each result, with its interval."""

import html
import math

WIDTH = 420  # a phone's, so that letters have their size there
MARGIN = 12
ROW = 31
TOP = 46
BOTTOM = 26

# A page may hold many charts: what is set here is the same in all of them.
STYLE = """
.loops-chart { width: 100%; max-width: 34rem; height: auto; font-family: sans-serif;
  --paper: #fff; --ink: #222; --soft: #666; --grid: #ddd; --bar: #5b8fc7; --floor: #a9b0b8; }
@media (prefers-color-scheme: dark) { .loops-chart {
  --paper: #1d2126; --ink: #e6e6e6; --soft: #a5acb3; --grid: #3b424a; --bar: #4f83bb; --floor: #6b737c; } }
.loops-chart text { fill: var(--ink); font-size: 12px; }
.loops-chart .title { font-size: 14px; font-weight: bold; }
.loops-chart .soft { fill: var(--soft); font-size: 11px; }
.loops-chart .paper { fill: var(--paper); }
.loops-chart .grid { stroke: var(--grid); }
.loops-chart .bar { fill: var(--bar); }
.loops-chart .floor { fill: var(--floor); }
.loops-chart .interval { stroke: var(--ink); stroke-width: 1.4; }
"""


class Axis:
    """From values to places: by their logarithm where they differ much."""

    def __init__(self, values):
        least, most = min(values), max(values)
        self.is_log = least > 0 and most / least > 20
        if self.is_log:
            self.low = 10 ** math.floor(math.log10(least) - 0.05)
            self.high = 10 ** math.ceil(math.log10(most) + 0.001)
        else:
            self.low, self.high = 0, (most or 1) * 1.05

    def place(self, value):
        if self.is_log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return MARGIN + part * (WIDTH - 2 * MARGIN)

    def ticks(self):
        if self.is_log:
            powers = round(math.log10(self.high / self.low))
            step = -(-powers // 6)
            return [self.low * 10**power for power in range(0, powers + 1, step)]
        step = 10 ** math.floor(math.log10(self.high / 4))
        step *= max(each for each in (1, 2, 2.5, 5) if each * step <= self.high / 4)
        return [step * i for i in range(int(self.high / step) + 1)]


def number(value):
    """With the digits that matter."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 3)}f}"


def short(value):
    return f"{value:,.10g}"


def with_unit(value, unit):
    """A time of five digits has the next unit."""
    units = ("ns", "us", "ms", "s")
    while unit in units[:-1] and value >= 10000:
        value /= 1000
        unit = units[units.index(unit) + 1]
    return f"{number(value)} {unit}"


def figure_text(record):
    text = with_unit(record["figure"]["median"], record["unit"])
    if record["ratio"] and record["ratio"]["median"] is not None:
        text += f" · {record['ratio']['median']:,.2f}×"
    return text


def shown(record):
    """What a bar shows: the ratio, where there is one."""
    it = record["ratio"] or record["figure"]
    return None if None in it.values() else it


def svg(title, records):
    drawn = [record for record in records if shown(record)]
    axis = Axis([value for record in drawn for value in shown(record).values()] or [0])
    height = TOP + ROW * len(drawn) + BOTTOM
    is_ratio = any(record["ratio"] for record in drawn)
    caption = f"ratio to {drawn[0]['name']}" if is_ratio else drawn[0]["unit"] if drawn else ""
    if axis.is_log:
        caption += ", logarithmic"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="loops-chart" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{html.escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="{MARGIN}" y="20">{html.escape(title)}</text>',
        f'<text class="soft" x="{MARGIN}" y="36">{html.escape(caption)}</text>',
    ]
    for tick in axis.ticks():
        x = axis.place(tick)
        anchor = "start" if x < 30 else "end" if x > WIDTH - 30 else "middle"
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>'
            f'<text class="soft" x="{x:.1f}" y="{height - 10}" text-anchor="{anchor}">'
            f"{short(tick)}</text>"
        )
    for i, record in enumerate(drawn):
        y = TOP + ROW * i
        it = shown(record)
        # A ratio of the first to itself is no measurement.
        kind = "floor" if is_ratio and it["low"] == it["high"] == 1 else "bar"
        end = axis.place(it["median"])
        parts.append(
            f'<text x="{MARGIN}" y="{y + 13}">{html.escape(record["name"])}</text>'
            f'<text x="{WIDTH - MARGIN}" y="{y + 13}" text-anchor="end">'
            f"{html.escape(figure_text(record))}</text>"
            f'<rect class="{kind}" x="{MARGIN}" y="{y + 18}" height="9" '
            f'width="{max(end - MARGIN, 0.5):.1f}"/>'
        )
        if it["low"] < it["high"]:
            low, high = axis.place(it["low"]), axis.place(it["high"])
            parts.append(
                f'<path class="interval" d="M{low:.1f} {y + 19}v7M{low:.1f} {y + 22.5}'
                f'H{high:.1f}M{high:.1f} {y + 19}v7"/>'
            )
    return "\n".join(parts) + "\n</svg>\n"
