"""kill -9 of the primary's PostgreSQL under load, again and again."""
import os
import time

import pytest

import figures
from trial import Trial

KILLS = int(os.environ.get("E2E_KILLS", "20"))


@pytest.mark.needs("node")
def test_killed_postmasters_are_replaced_without_loss(link):
    rounds = []
    with Trial(link, "process-death") as trial:
        for number in range(KILLS):
            old, killed = trial.kill_postmaster()
            gap = trial.writer.resumed(killed)
            new = link.wait_primary([name for name in link.endpoint_names() if name != old])
            link.wait_replica(old, 150 - (time.monotonic() - killed))
            rejoin = time.monotonic() - killed
            link.wait_healthy(120)
            record = link.wait_history(old, new)
            trial.writer.wait_for(50)
            rounds.append({"round": number, "from": old, "to": new, "gap_ms": round(1000 * gap), "rejoin_ms": round(1000 * rejoin),
                           "timeline_ms": trial.timeline(killed, new), "history": record})
            print(f"  kill {number + 1}: {old} -> {new}, gap {1000 * gap:.0f} ms, back after {rejoin:.1f} s, "
                  f"history says {record.get('recoveryMilliseconds')} ms, {rounds[-1]['timeline_ms']}", flush=True)
        acknowledged = len(trial.writer.acknowledged)
    gaps, rejoins = figures.spread([one["gap_ms"] for one in rounds]), figures.spread([one["rejoin_ms"] for one in rounds])
    figures.keep("failover.json", {"kills": len(rounds), "acknowledged": acknowledged, "lost": 0, "gap_ms": gaps, "rejoin_ms": rejoins,
                                   "rounds": rounds})
    figures.record(f"kill -9, {KILLS} times: no writes, median", gaps["median"], "ms", "< 2000")
    figures.record("kill -9: no writes, worst", gaps["max"], "ms", "< 4000")
    figures.record("kill -9: old primary streams again, worst", rejoins["max"] / 1000, "s", "< 30")
    figures.record("kill -9: acknowledged writes", acknowledged, "", "0 lost")
    assert figures.holds(gaps["median"], 2000), f"median gap {gaps['median']} ms: {gaps}"
    assert figures.holds(gaps["max"], 4000), f"worst gap {gaps['max']} ms: {gaps}"
