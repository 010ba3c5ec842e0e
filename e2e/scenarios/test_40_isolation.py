"""The primary runs on, but nobody reaches it: it must stop by itself before another begins."""
import json
import os
import subprocess
import sys
import threading
import time

import pytest

import figures
import processes
from prober import Accepted
from trial import Trial
from waiting import until

LEASE_SECONDS = 5


class Insider:
    """A client inside the primary's pod: no network fault comes between the two."""

    def __init__(self, network, endpoint, dsn):
        environment = {**os.environ, "INSIDER_DSN": dsn}
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "insider.py")
        self._process = subprocess.Popen(network.enter(sys.executable, program, endpoint), env=environment, stdout=subprocess.PIPE, text=True)
        self.accepted = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.accepted.append(Accepted(**json.loads(line)))

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._reader.join(5)


@pytest.mark.needs("node", "network")
def test_an_isolated_primary_stops_before_another_begins(link):
    old = link.primary()
    network = processes.Network(link.agent(old))
    with Trial(link, "isolation") as trial:
        insider = Insider(network, old, link.instance_dsn(old, options="-c synchronous_commit=local"))
        until("the client inside writes", lambda: len(insider.accepted) > 10 or "nothing", 60)
        cut = time.monotonic()
        network.cut()
        try:
            gap = trial.writer.resumed(cut)
            new = link.wait_primary([name for name in link.endpoint_names() if name != old])
            # Long enough for the old primary to come back on its own, were it not fenced.
            time.sleep(LEASE_SECONDS)
            trial.writer.wait_for(20)
            inside = [write.began for write in insider.accepted if write.began > cut]  # its answers may be late
        finally:
            network.mend()
            mended = time.monotonic()
            insider.stop()
        trial.accepted_elsewhere = insider.accepted
        last, taken = max(inside, default=cut) - cut, trial.wait_accepted(new, cut) - cut
        figures.record("network cut: last commit inside", last, "s", f"< {LEASE_SECONDS}")
        figures.record("network cut: first commit of the new primary", taken, "s")
        figures.record("network cut: no writes through the Service", 1000 * gap, "ms", "< 8000")
        assert inside, "the client inside never wrote after the cut: the lease's protection was not tested"
        assert last < LEASE_SECONDS, f"a client on the primary's side committed {last:.2f} s after the cut"
        assert last < taken, f"{new} accepted a write {taken:.2f} s after the cut, {old} still one {last:.2f} s after it"
        assert figures.holds(gap, 8), f"{gap:.1f} s without writes"
        link.wait_replica(old, 180)
        figures.record("network cut: streams again once mended", time.monotonic() - mended, "s")
        link.wait_healthy(120)
    network.close()


@pytest.mark.needs("node")
def test_a_frozen_agent_cannot_keep_its_primary_alive(link):
    old = link.primary()
    with Trial(link, "frozen-agent") as trial:
        frozen = time.monotonic()
        with processes.Frozen(link.agent(old)):
            gap = trial.writer.resumed(frozen)
            new = link.wait_primary([name for name in link.endpoint_names() if name != old])
            taken = trial.wait_accepted(new, frozen)
        link.wait_replica(old, 180)
        link.wait_healthy(120)
        figures.record("agent frozen: no writes through the Service", 1000 * gap, "ms", "< 8000")
        after = [write for write in trial.accepted() if write.instance == old and write.began > taken]
        assert not after, f"{old} accepted {len(after)} writes after {new} had begun"
    assert figures.holds(gap, 8), f"{gap:.1f} s without writes"
