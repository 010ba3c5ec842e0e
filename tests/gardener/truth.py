"""Watches while a walk goes on that nothing says Ready over something that is not."""
import threading
import time

from api import condition

LIE_SECONDS, PERIOD_SECONDS = 12.0, 0.5


class Truth(threading.Thread):
    """Remembers one lie: Ready=True of link and policy, seen by an operator that acts, while no client of the Service gets a write through."""

    def __init__(self, shop):
        super().__init__(daemon=True)
        self._shop, self._ended = shop, threading.Event()
        self.lie = ""
        self.start()

    def stop(self):
        self._ended.set()
        self.join(10)

    def run(self):
        since = None
        while not self._ended.wait(PERIOD_SECONDS):
            now = time.monotonic()
            if not self._claims():
                since = None
                continue
            since = since or now
            last = max((one.last() for one in self._shop.writers if one.client.startswith("service")), default=now)
            if min(now - since, now - last) > LIE_SECONDS and not self.lie:
                errors = [one.last_error for one in self._shop.writers]
                self.lie = f"link and policy are Ready=True, and for {now - max(since, last):.0f} s no write got through the Service: {errors}"

    def _claims(self):
        try:
            leader = self._shop.world.leader()
            link, policy = self._shop.object(), self._shop.policy_object()
        except Exception:  # the API is away: nobody can say anything
            return False
        paused = (link or {}).get("spec", {}).get("paused")
        return bool(leader) and not paused and all(condition(one, "Ready").get("status") == "True" for one in (link, policy))
