"""Runs a command and writes what it took as JSON: measured.py FILE COMMAND…

A program of its own, run with -IS and small: a process's peak memory as wait4 tells it begins with that of whoever
started it.
"""
import json
import os
import sys
import time


def main():
    began = time.monotonic()
    child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status, used = os.wait4(child, 0)
    seconds = time.monotonic() - began
    with open("/proc/self/status") as own:
        floor = next(int(line.split()[1]) for line in own if line.startswith("VmHWM"))
    with open(sys.argv[1], "w") as out:
        json.dump({"seconds": seconds, "cpuSeconds": used.ru_utime + used.ru_stime, "userSeconds": used.ru_utime,
                   "peakMiB": used.ru_maxrss / 1024, "floorMiB": floor / 1024,
                   "contextSwitches": used.ru_nvcsw + used.ru_nivcsw}, out)
    return os.waitstatus_to_exitcode(status)


sys.exit(main())
