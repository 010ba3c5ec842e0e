"""How long a client can't write when the primary's process is killed, and when the primary moves as planned.

twinspan-demo runs an operator, three workers with PostgreSQL (Sync, one replica) and a client that writes through the
`-rw` Service all the while; it kills the postmaster again and again and measures at the client.
"""
import json
import os
import subprocess
import sys
import tempfile

import figures


def run(source, options):
    program = os.path.join(options.bin, "twinspan-demo")
    result = figures.busy(figures.heading(source, program))
    with tempfile.TemporaryDirectory(prefix="ts-") as folder:
        out = os.path.join(folder, "figures.json")
        command = [program, "--source", source, "--failovers", str(options.failovers), "--switchover", "--json", out]
        print(f"rto: {options.failovers} kills of the primary, then a switchover", flush=True)
        if subprocess.run(command, check=False).returncode != 0 or not os.path.exists(out):
            sys.exit("bench: twinspan-demo failed, no figures of failovers")
        with open(out) as file:
            demo = json.load(file)
    kills = demo["failovers"]
    result["what"] = ("kill -9 of the primary's postmaster under write load, Sync with one replica, in the sandbox: real "
                      "operator, workers and PostgreSQL 15, embedded Kubernetes API, loopback network")
    result["figures"] = {
        "outageMilliseconds": figures.summary([kill["outageMilliseconds"] for kill in kills]),
        "recordedMilliseconds": figures.summary([kill.get("recoveryMilliseconds") for kill in kills]),
        "rejoinMilliseconds": figures.summary([kill["rejoinMilliseconds"] for kill in kills]),
    }
    result["meaning"] = {
        "outageMilliseconds": "kill until the client's next acknowledged write, by the client",
        "recordedMilliseconds": "status.history[].recoveryMilliseconds of the policy: detection until Services point at "
                                "the new primary",
        "rejoinMilliseconds": "kill until the old primary streams again as a replica",
        "switchoverPauseMilliseconds": "longest gap between acknowledged writes around one planned switchover",
    }
    if "switchover" in demo:
        result["figures"]["switchoverPauseMilliseconds"] = figures.summary([demo["switchover"]["pauseMilliseconds"]])
    result["writes"] = {"acknowledged": demo["acknowledged"], "lost": demo["lost"]}
    result["targets"] = {"outageMilliseconds": {"median": 2000, "max": 4000},
                         "rejoinMilliseconds": {"max": 30000},
                         "switchoverPauseMilliseconds": {"max": 1000}, "lost": 0}
    result["samples"] = kills
    figures.table("failover, milliseconds", figures.SUMMARY_COLUMNS,
                  [figures.summary_row(name.removesuffix("Milliseconds"), one) for name, one in result["figures"].items()])
    print(f"  writes acknowledged {demo['acknowledged']}, lost {demo['lost']}")
    figures.write(options.results, "rto", result)
