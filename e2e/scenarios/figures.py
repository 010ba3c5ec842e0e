"""What was measured: printed as a table at the end of a run and kept as JSON."""
import json
import os
import pathlib
import statistics

ARTIFACTS = pathlib.Path(os.environ.get("E2E_ARTIFACTS", "build/e2e-artifacts")).absolute()
_rows, _complaints = [], []


def record(what, value, unit, bound=""):
    missed = bound.startswith("< ") and not value < float(bound[2:])
    _rows.append({"what": what, "value": round(value, 3), "unit": unit, "bound": bound + (" MISSED" if missed else "")})


def holds(value, goal):
    """Whether a time is still that of a working system. A goal is for a quiet machine and stands in the table, missed or not; a machine
    that others use as well breaks it without anything being wrong. E2E_STRICT=1: the goal itself."""
    return value < goal * (1 if os.environ.get("E2E_STRICT") else 5)


def complained(row):
    _complaints.append(row)


def complaints():
    return _complaints


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
