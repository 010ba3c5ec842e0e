"""A planned change of primary, asked for by desiredPrimary, under load."""
import time

import figures
from trial import Trial

TIMES = 3


def test_a_switchover_pauses_writes_for_less_than_a_second_and_loses_none(link):
    pauses = []
    try:
        with Trial(link, "switchover") as trial:
            for _ in range(TIMES):
                trial.wait_quiet()
                old = link.primary()
                new = link.replicas()[0]
                moment = time.monotonic()
                link.change_policy({"spec": {"desiredPrimary": new}})
                link.wait_primary([new])
                trial.writer.wait_for(50)
                pauses.append(trial.writer.longest_pause(moment))
                link.wait_healthy(120)
                record = link.wait_history(old, new)
                print(f"  switchover {old} -> {new}: writes paused {1000 * pauses[-1]:.0f} ms, "
                      f"history says {record.get('recoveryMilliseconds')} ms, {trial.timeline(moment, new)}", flush=True)
                assert record["outcome"] == "Completed", f"history says {record}"
                assert record.get("lostBytes") == 0, f"history says {record}"
            numbers = [number for number, _ in trial.writer.acknowledged]
            assert numbers == list(range(1, len(numbers) + 1)), "a commit failed for good"
            figures.record("switchover: attempts that had to be repeated", len(trial.writer.retried) / TIMES, "each")
    finally:
        link.change_policy({"spec": {"desiredPrimary": ""}})
    spread = figures.spread([1000 * pause for pause in pauses])
    figures.record("switchover: writes paused, median", spread["median"], "ms")
    figures.record("switchover: writes paused, worst", spread["max"], "ms", "< 1000")
    figures.keep("switchover.json", {"pause_ms": spread})
    assert figures.holds(spread["max"], 1000), f"writes paused for {spread['max']:.0f} ms: {[round(1000 * one) for one in pauses]}"
