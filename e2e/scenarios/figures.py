"""What was measured: printed as a table at the end of a run and kept as JSON."""
import json
import os
import pathlib
import statistics

ARTIFACTS = pathlib.Path(os.environ.get("E2E_ARTIFACTS", "build/e2e-artifacts")).absolute()
_rows = []


def record(what, value, unit, bound=""):
    _rows.append({"what": what, "value": round(value, 3), "unit": unit, "bound": bound})


def spread(values):
    ordered = sorted(values)
    return {
        "count": len(ordered),
        "min": ordered[0],
        "median": statistics.median(ordered),
        "p90": ordered[min(len(ordered) - 1, int(len(ordered) * 0.9))],
        "max": ordered[-1],
    }


def keep(name, content):
    """Writes one artifact as JSON."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / name).write_text(json.dumps(content, indent=1, default=str) + "\n")


def table():
    width = max((len(row["what"]) for row in _rows), default=0)
    return [f"{row['what']:<{width}}  {row['value']:>10g} {row['unit']:<5} {row['bound']}".rstrip() for row in _rows]


def save():
    if _rows:
        keep("figures.json", _rows)
