"""The data card as a page: counts, allowances, notes, histograms and a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from capnet.data.card.contact_sheet import contact_sheet
from capnet.data.card.notes import MEANING
from capnet.data.checks.published import PUBLISHED
from capnet.data.layouts import shown
from capnet.records import DISTRACTOR, JUNK, UNKNOWN, Record
from capnet.settings import Dataset

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data card: {{ card.dataset }}</title>
<link rel="icon" href="data:,">
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 .5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #8885; }
th:first-child { text-align: left; }
.warn { border-left: 4px solid #d9a93f; padding: .1rem 1rem; }
.off { color: #b3261e; font-weight: 700; }
.pair { display: flex; flex-wrap: wrap; gap: 0 3rem; } .pair div { max-width: 100%; }
.bars { display: flex; height: 11rem; gap: 2px; overflow-x: auto; font-size: .75rem; }
.bars span { display: flex; flex-direction: column; justify-content: flex-end; text-align: center;
  flex: none; min-width: 2rem; }
.bars i { background: #0b5c8f; min-height: 1px; flex: none; }
.wide { overflow-x: auto; }
code, td, li { overflow-wrap: anywhere; }
</style>
</head>
{% macro histogram(title, counts) %}
{% set top = counts.values() | max %}
<div>
<h3>{{ title }}</h3>
<div class="bars">{% for at, n in counts.items() %}
<span>{{ n }}<i style="height:{{ (8 * n / top) | round(3) }}rem"></i>{{ at }}</span>
{%- endfor %}</div>
</div>
{% endmacro %}
<body>
<h1>Data card: {{ card.dataset }}</h1>
<p>Layout {{ card.layout }}{{ " " ~ card.version if card.version }}, in
<code>{{ card.root }}</code>. Manifest <code>{{ card.manifest_sha256 }}</code>.</p>
{% if not card.drawn %}
<p class="warn">This page may show real people. Please do not publish it.</p>
{% endif %}
{% if card.allowed %}
<h2>Allowed by the user</h2>
<ul class="warn">
{% for entry in card.allowed %}
<li><b>{{ entry.check }}</b>: {{ entry.finding }}<br>Reason given: {{ entry.reason }}</li>
{% endfor %}
</ul>
{% endif %}
<h2>Counts</h2>
<p>{% if published %}Published: {{ card.benchmark }}, {{ published.source }}. A number that differs
is followed by the published one.{% else %}No published counts to compare with.{% endif %}</p>
<table>
<tr><th>split</th>{% for what in card.splits.train %}<th>{{ what }}</th>{% endfor %}</tr>
{% for split, counts in card.splits.items() %}
<tr><th>{{ split }}</th>{% for what, n in counts.items() %}<td>{{ n }}
{%- if published and published.splits[split][what] != n %}
 <span class="off">({{ published.splits[split][what] }})</span>{% endif %}</td>{% endfor %}</tr>
{% endfor %}
</table>
<h2>Sizes in pixels</h2>
<table>
<tr><th></th><th>min</th><th>median</th><th>max</th></tr>
{% for side in ("width", "height") %}
<tr><th>{{ side }}</th>{% for n in card.sizes[side].values() %}<td>{{ n }}</td>{% endfor %}</tr>
{% endfor %}
</table>
<p>{{ card.sizes.distinct }} distinct size{{ "s" if card.sizes.distinct > 1 }}.</p>
<h2>Notes</h2>
<ul>
{% for name, names in notes.items() %}
<li>{{ names | length }} {{ meaning[name] }}: {{ names | shown }}</li>
{% else %}
<li>Nothing out of the ordinary.</li>
{% endfor %}
</ul>
{% for split in card.splits %}
<h2>Distribution: {{ split }}</h2>
<div class="pair">
{% if card.images_per_id[split] %}
{{ histogram("People by number of images", card.images_per_id[split]) }}
{% endif %}
{{ histogram("Images by camera (-1: unknown)", card.images_per_camera[split]) }}
</div>
{% endfor %}
<h2>Contact sheet</h2>
<p>People and cameras in equal steps through all; the first image of each by name.</p>
<div class="wide">
<table>
<tr><th>split and pid</th>{% for camera in cameras %}<th>{{ camera | camera }}</th>{% endfor %}</tr>
{% for row in rows %}
<tr><th>{{ row.split }} {{ row.pid | person }}</th>{% for cell in row.cells %}<td>
{%- if cell %}<img src="{{ cell[1] }}" alt="{{ cell[0] }}" title="{{ cell[0] }}">{% endif -%}
</td>{% endfor %}</tr>
{% endfor %}
</table>
</div>
</body>
</html>
"""


def card_page(
    card: Mapping[str, Any],
    settings: Dataset,
    found: Mapping[str, list[str]],
    root: Path,
    records: Sequence[Record],
) -> str:
    """Return the card as HTML that needs nothing else; `found` is what `notes` returns.

    Images are read below `root` and held by the page: where real people are on them, it is not
    to be published.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"shown": shown, "person": _person, "camera": _camera}
    cameras, rows = contact_sheet(root, records)
    return environment.from_string(PAGE).render(
        card=card,
        published=PUBLISHED[settings.benchmark] if settings.benchmark else None,
        notes=found,
        meaning=MEANING,
        cameras=cameras,
        rows=rows,
    )


def _person(pid: int) -> str:
    return {JUNK: "junk", DISTRACTOR: "distractor"}.get(pid, str(pid))


def _camera(camid: int) -> str:
    return "unknown" if camid == UNKNOWN else f"camera {camid}"
