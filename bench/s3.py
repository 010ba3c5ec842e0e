"""One sync of two buckets by Twinspan's S3 engine, rclone and mc: same servers, same data, one after the other.

Cases: 5,000 objects of 16 KiB; nothing changed since; 1 % of them changed; 3 objects of 512 MiB. And the engine alone with
1,000,000 small objects on the sandbox's own server.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import figures
import machinery
import s3_servers
import s3_tools

MEASURED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "measured.py")
CASES = {
    "small": "5,000 objects of 16 KiB into an empty bucket",
    "unchanged": "the same again, nothing has changed",
    "changed": "the same again, 50 of them have other content of the same size",
    "closing": "5,000 objects of 16 KiB into an empty bucket of a server that closes each connection after one request",
    "large": "3 objects of 512 MiB, uploaded in parts of 16 MiB, into an empty bucket",
}
TARGETS = {"seconds": 0.8, "cpuSeconds": 0.33, "peakMiB": 0.5}
UNCHANGED = {"seconds": 1.0}  # of the fastest; nothing else was promised for it


class Cell:
    """The runs of one tool in one case."""

    def __init__(self):
        self.runs = []

    def medians(self):
        return {name: figures.summary([run[name] for run in self.runs], 3)
                for name in ("seconds", "cpuSeconds", "peakMiB", "serversCpuSeconds")}


def measure(servers, tool, source, target):
    command = tool.command(servers, source, target)
    out = os.path.join(servers.folder, "measured.json")
    log = os.path.join(servers.folder, tool.name + ".log")
    before = servers.cpu_seconds()
    with open(log, "wb") as file:
        code = subprocess.run(["/usr/bin/python3", "-IS", MEASURED, out, *command], env=servers.environment(), stdout=file,
                              stderr=file, check=False).returncode
    if code != 0:
        with open(log, errors="replace") as file:
            raise RuntimeError(f"{tool.name} ended with {code}: {file.read()[-2000:]}")
    with open(out) as file:
        run = json.load(file)
    run["serversCpuSeconds"] = servers.cpu_seconds() - before
    return run


def rounds(servers, tools, data, count, cases, cells):
    """In each round every tool runs every case, each time another tool first."""
    for number in range(count):
        order = tools[number % len(tools):] + tools[:number % len(tools)]
        buckets = {tool.name: f"{data.bucket}-{tool.name}-{number}" for tool in tools}
        for case in cases:
            if case == "changed":
                data.change(len(data.digests) // 100)
                time.sleep(1)
            for tool in order:
                if case == cases[0]:
                    servers.mc("mb", f"target/{buckets[tool.name]}")
                run = measure(servers, tool, data.bucket, buckets[tool.name])
                data.check(buckets[tool.name])
                cells.setdefault(case, {}).setdefault(tool.name, Cell()).runs.append(run)
                print(f"  {case:10} round {number + 1} {tool.name:9} {run['seconds']:7.2f} s  CPU {run['cpuSeconds']:6.2f} s  "
                      f"{run['peakMiB']:6.1f} MiB  servers' CPU {run['serversCpuSeconds']:6.2f} s", flush=True)
                if len(cases) == 1:
                    servers.forget(buckets[tool.name])
        for bucket in buckets.values():
            if os.path.isdir(os.path.join(servers.folder, "target", bucket)):
                servers.forget(bucket)


def ratios(case, cells):
    """Ours by the better peer's, each figure by itself, with the target."""
    out = {}
    for name, most in (UNCHANGED if case == "unchanged" else TARGETS).items():
        mine = cells["twinspan"].medians()[name]["median"]
        peers = {tool: cell.medians()[name]["median"] for tool, cell in cells.items() if tool != "twinspan"}
        better = min(peers, key=peers.get)
        ratio = round(mine / peers[better], 3)
        out[name] = {"better": better, "ratio": ratio, "target": most, "met": ratio <= most}
    return out


def compare(source, options, cases, result):
    tools = [tool(options) for tool in s3_tools.TOOLS]
    for tool in tools:
        if not os.access(tool.program, os.X_OK):
            sys.exit(f"bench: {tool.program} is missing: make build, e2e/cluster build minio rclone")
    result["tools"] = {tool.name: {"version": tool.version(), "settings": " ".join(tool.settings), "why": tool.why} for tool in tools}
    cells = {}
    if "closing" in cases:
        servers = s3_servers.Servers(options.tools, options.space, keep_alive=False)
        try:
            rounds(servers, tools, s3_servers.Data(servers, "closing", options.objects, 16 << 10), options.rounds, ["closing"], cells)
        finally:
            servers.stop()
    if cases == ["closing"]:
        return cells
    servers = s3_servers.Servers(options.tools, options.space)
    try:
        of_small = [case for case in ("small", "unchanged", "changed") if case in cases]
        if of_small:
            rounds(servers, tools, s3_servers.Data(servers, "small", options.objects, 16 << 10), options.rounds, of_small, cells)
        if "large" in cases:
            rounds(servers, tools, s3_servers.Data(servers, "large", 3, options.large_mib << 20), options.rounds, ["large"], cells)
    finally:
        servers.stop()
    return cells


def show(result):
    rows = []
    for case, one in result["cases"].items():
        for tool, figure in one["tools"].items():
            rows.append([f"{case}: {tool}", *[f"{figure[name]['median']:.2f} ({figure[name]['min']:.2f} … {figure[name]['max']:.2f})"
                                              for name in ("seconds", "cpuSeconds", "peakMiB")],
                         f"{figure['serversCpuSeconds']['median']:.2f}"])
    figures.table("one sync, median (min … max)", ["", "seconds", "CPU s", "peak MiB", "servers' CPU s"], rows)
    rows = [[f"{case}: {name}", one["better"], one["ratio"], one["target"], "met" if one["met"] else "MISSED"]
            for case, all_of in result["cases"].items() for name, one in all_of["ratios"].items()]
    figures.table("ours by the better peer", ["", "peer", "ratio", "target", ""], rows)
    if "million" in result:
        figures.table("1,000,000 objects, the engine alone", ["", "seconds", "objects/s", "CPU s", "peak MiB"],
                      [[name, one["seconds"], one["objectsPerSecond"], one["cpuSeconds"], one["peakMiB"]]
                       for name, one in result["million"]["syncs"].items()])


def million(options):
    """Full sync, then unchanged again, of many objects between two buckets of one server in memory."""
    program, stub = (os.path.join(options.bin, name) for name in ("twinspan-s3-sync", "twinspan-s3-stub"))
    folder = tempfile.mkdtemp(prefix="ts-bench-s3-", dir=options.space)
    certificate, key = os.path.join(folder, "ca.crt"), os.path.join(folder, "ca.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, stderr=subprocess.DEVNULL)
    secrets = {"S3_ACCESS_KEY": s3_servers.ACCESS, "S3_SECRET_KEY": s3_servers.SECRET}
    child = subprocess.Popen([stub, "--bucket", "from", "--bucket", "to", "--objects", str(options.million), "--certificate",
                              certificate, "--key", key], env={**os.environ, **secrets}, stdout=subprocess.PIPE, text=True)
    syncs = {}
    try:
        url = child.stdout.readline().strip()
        for name in ("full", "unchanged"):
            command = [program, "--source", url, "--source-bucket", "from", "--target", url, "--target-bucket", "to", "--ca",
                       certificate, *s3_tools.Twinspan.settings]
            environment = {f"{side}_{word}": value for side in ("SOURCE", "TARGET") for word, value in
                           (("ACCESS_KEY_ID", s3_servers.ACCESS), ("SECRET_ACCESS_KEY", s3_servers.SECRET))}
            syncs[name] = watched(command, environment)
            print(f"  million: {name}: {syncs[name]}", flush=True)
            done = syncs[name]["report"]
            if done["total"] != options.million or not done["complete"] or done["replicated" if name == "full" else "skipped"] != options.million:
                raise RuntimeError(f"million: {done}")
    finally:
        child.terminate()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return {"what": "objects of 14 bytes on twinspan-s3-stub, both buckets on one server, TLS, one GET and one PUT each; "
                    "residentMiB: at every tenth of the time", "objects": options.million, "syncs": syncs}


def watched(command, environment):
    """Runs it and looks at its memory ten times a second."""
    began = time.monotonic()
    child = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    process, resident, peak, cpu = machinery.Process(child.pid), [], 0.0, 0.0
    while True:
        try:
            resident.append(process.resident_mib())
            peak, cpu = process.peak_mib(), process.cpu_seconds()
        except (OSError, AttributeError):
            break  # it has ended
        time.sleep(0.1)
    report = json.loads(child.stdout.read())
    child.wait()
    seconds = time.monotonic() - began
    tenths = [round(resident[min(len(resident) - 1, len(resident) * n // 10)], 1) for n in range(1, 11)]
    return {"seconds": round(seconds, 2), "objectsPerSecond": round(report["total"] / seconds), "cpuSeconds": cpu,
            "peakMiB": round(peak, 1), "residentMiB": tenths, "report": report}


def run(source, options):
    cases = [case for case in [*CASES, "million"] if not options.case or case in options.case.split(",")]
    path = os.path.join(options.results, "s3.json")
    result = figures.busy(figures.heading(source, os.path.join(options.bin, "twinspan-operator")))
    result["program"] = "twinspan-s3-sync"
    result["what"] = ("one sync from MinIO to Versity S3 Gateway (--keep-alive), TLS, loopback, one machine, data in memory (tmpfs), by each "
                      "tool in turn; what arrived is compared with what was sent, object by object, after every run")
    result["meaning"] = {
        "seconds": "from the start of the tool's process to its end", "cpuSeconds": "user and system time of the process, by wait4",
        "peakMiB": "its largest resident set, by wait4", "serversCpuSeconds": "what both servers used meanwhile: on as few "
        "cores as these the tools' wall time contains it",
        "ratios": "median of ours by the smaller of the peers' medians, each figure by itself"}
    if options.case and os.path.exists(path):  # the others stay as they were taken
        with open(path) as file:
            before = json.load(file)
        result = {**before, **{name: result[name] for name in ("what", "meaning")}}
        result["machine"].update({name: value for name, value in figures.machine().items() if name != "loadBefore"})
    head = {"date": figures.now(), "commit": figures.commit(source), "loadBefore": round(os.getloadavg()[0], 2)}
    measured = [case for case in cases if case in CASES]
    if measured:
        cells = compare(source, options, measured, result)
        for case in measured:
            result.setdefault("cases", {})[case] = {
                "what": CASES[case], **head, "rounds": options.rounds,
                "tools": {tool: cell.medians() for tool, cell in cells[case].items()}, "ratios": ratios(case, cells[case]),
                "runs": {tool: cell.runs for tool, cell in cells[case].items()}}
        result["cases"] = {case: result["cases"][case] for case in CASES if case in result["cases"]}
    if "million" in cases:
        result["million"] = {**head, **million(options)}
    show(result)
    figures.write(options.results, "s3", result)
