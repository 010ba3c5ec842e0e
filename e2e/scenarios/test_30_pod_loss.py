"""The primary's pod goes away, politely and not."""
import time

import pytest

import figures
from trial import Trial


@pytest.mark.parametrize("how, bound_seconds", [("politely", 4), ("at once", 10)])
def test_a_deleted_pod_is_replaced_and_its_replacement_follows(link, how, bound_seconds):
    with Trial(link, f"pod-deleted-{how.replace(' ', '-')}") as trial:
        old = link.primary()
        uid = link.pod(old)["metadata"]["uid"]
        deleted = time.monotonic()
        force = ["--grace-period=0", "--force"] if how == "at once" else []
        link.target.kubectl("-n", link.namespace, "delete", "pod", link.pod_name(old), "--wait=false", *force)
        gap = trial.writer.resumed(deleted)
        new = link.wait_primary([name for name in link.endpoint_names() if name != old])
        link.wait_healthy(90)
        figures.record(f"pod deleted {how}: no writes", 1000 * gap, "ms", f"< {1000 * bound_seconds}")
        figures.record(f"pod deleted {how}: three instances again", time.monotonic() - deleted, "s")
        assert link.primary() == new, f"{new} took over, but {link.primary()} is primary now"
        assert link.pod(old)["metadata"]["uid"] != uid, "the deleted pod is still the one that runs"
    assert figures.holds(gap, bound_seconds), f"pod deleted {how}: {1000 * gap:.0f} ms without writes"
