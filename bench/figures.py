"""What every result says of itself, how figures are summed up, and how they are shown."""
import datetime
import json
import os
import platform
import statistics
import subprocess


def percentile(values, share):
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))]


def summary(values, digits=1):
    """n, median, min, max, p99 and spread: the distance of the quartiles as a share of the median."""
    values = [value for value in values if value is not None]
    if not values:
        return {"n": 0}
    median = statistics.median(values)
    quartiles = percentile(values, 75) - percentile(values, 25)
    return {
        "n": len(values),
        "median": round(median, digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "p99": round(percentile(values, 99), digits),
        "spread": round(quartiles / median, 3) if median else None,
    }


def middle(runs, key):
    """Of several runs the one with the median of `key`, with a summary of all of them for each of its numbers."""
    ordered = sorted(runs, key=lambda run: run[key])
    numbers = [name for name, value in ordered[0].items() if isinstance(value, float)]
    return {**ordered[(len(ordered) - 1) // 2],
            "ofRuns": {name: summary([run[name] for run in runs], 3) for name in numbers}}


def _first(path, field):
    with open(path) as lines:
        for line in lines:
            if line.startswith(field):
                return line.split(":", 1)[1].strip()
    return "unknown"


def machine():
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memoryMiB": int(_first("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "cpu": _first("/proc/cpuinfo", "model name"),
        "kernel": platform.release(),
        "loadBefore": round(os.getloadavg()[0], 2),
    }


def commit(source):
    def git(*words):
        return subprocess.run(["git", "-C", source, *words], capture_output=True, text=True, check=False).stdout.strip()

    head = git("rev-parse", "--short=12", "HEAD") or "unknown"
    return head + ("-changed" if git("status", "--porcelain", "--untracked-files=no") else "")


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def heading(source, program):
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": now(),
        "commit": commit(source),
        "program": version or os.path.basename(program),
        "machine": machine(),
    }


def busy(result):
    """A warning where the machine had something else to do when the figures were taken."""
    load = result["machine"]["loadBefore"]
    if load > 0.5 * result["machine"]["cores"]:
        result["caution"] = f"the machine was busy (load {load}) before this run began: not to be compared"
    return result


def write(folder, name, result):
    path = os.path.join(folder, name + ".json")
    with open(path + ".new", "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    os.replace(path + ".new", path)
    print(f"written: {os.path.relpath(path)}\n", flush=True)


def table(title, columns, rows):
    cells = [[str(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    print("\n" + title)
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))))
    print(flush=True)


def summary_row(name, figures):
    return [name] + [figures.get(key, "-") for key in ("n", "median", "min", "max", "p99", "spread")]


SUMMARY_COLUMNS = ["", "n", "median", "min", "max", "p99", "spread"]
