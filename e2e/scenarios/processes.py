"""Processes of pods, found on this machine: to kill them at a known moment and to cut their network.

Only for targets that have "node": their pods are processes of this machine (the project's own clusters, the sandbox, kind).
"""
import os
import pathlib
import signal
import subprocess


def _read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def _name(pid):
    """The program of `pid`, empty when it is gone. From its image rather than its title, which PostgreSQL changes."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).split(" ")[0]
    except OSError:
        return ""


def _all():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _parent(pid):
    stat = _read(f"/proc/{pid}/stat")
    return int(stat.rsplit(b")", 1)[1].split()[1]) if stat else 0


def with_program(program):
    return [pid for pid in _all() if _name(pid) == program]


def worker(pod_uid, program="twinspan-worker"):
    """The agent of a pod: the one that was told this uid and is nobody's child of that name. Other pods of this machine are others'."""
    for pid in with_program(program):
        if pod_uid.encode() in _read(f"/proc/{pid}/cmdline") and _name(_parent(pid)) != program:
            return pid
    return None


def postmaster(pod_uid):
    """The PostgreSQL server that the pod's agent started; None when there is none at present."""
    agent = worker(pod_uid)
    for pid in with_program("postgres"):
        if agent and _parent(pid) == agent and b"--single" not in _read(f"/proc/{pid}/cmdline"):
            return pid
    return None


def child_titled(parent, title):
    """A child whose title holds this, as PostgreSQL names its processes."""
    for pid in _all():
        if _parent(pid) == parent and title.encode() in _read(f"/proc/{pid}/cmdline"):
            return pid
    return None


def operator(pod_name):
    """The operator of a pod, whose host name is the pod's."""
    for pid in with_program("twinspan-operator"):
        variables = _read(f"/proc/{pid}/environ").split(b"\0")
        if f"POD_NAME={pod_name}".encode() in variables or f"HOSTNAME={pod_name}".encode() in variables:
            return pid
    return None


def kill(pid):
    os.kill(pid, signal.SIGKILL)


class Frozen:
    """Holds a process still within a `with`."""

    def __init__(self, pid):
        self._pid = pid

    def __enter__(self):
        os.kill(self._pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        try:
            os.kill(self._pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


class Network:
    """The network namespace of a process's pod. It stays reachable when the process is gone."""

    RULES = (("INPUT", "-i"), ("OUTPUT", "-o"))

    def __init__(self, pid):
        self._handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        self.path = f"/proc/{os.getpid()}/fd/{self._handle}"

    def close(self):
        os.close(self._handle)

    def enter(self, *command):
        """The command line that runs `command` inside."""
        return ["nsenter", f"--net={self.path}", *command]

    def cut(self):
        """Nothing comes in or goes out any more, silently; what is inside still reaches itself."""
        self._each("-I")

    def mend(self):
        self._each("-D")

    def _each(self, action):
        for chain, direction in self.RULES:
            subprocess.run(self.enter("iptables", "-w", action, chain, direction, "eth0", "-j", "DROP"), check=True)
