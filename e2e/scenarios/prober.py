"""Asks every instance, every 20 ms, whether it accepts writes, by writing."""
import threading
import time

import psycopg2

import sql

PERIOD_SECONDS, PATIENCE_SECONDS = 0.02, 0.5

# The timeline is that of the log being written, so it is right from the first write after a promotion on.
WRITE = """UPDATE e2e_probe SET n = n + 1 WHERE endpoint = %s RETURNING left(pg_walfile_name(pg_current_wal_lsn()), 8)"""


class Accepted:
    """One write an instance accepted: at some moment between `began` and `ended`."""

    def __init__(self, instance, timeline, began, ended):
        self.instance, self.timeline, self.began, self.ended = instance, timeline, began, ended


class Prober(threading.Thread):
    """Of one instance, at the address of its pod, whatever Services say.

    Its writes wait for no replica: an isolated primary would otherwise look fenced only because nobody confirms.
    """

    def __init__(self, instance, dsn_text):
        super().__init__(daemon=True, name=f"prober-{instance}")
        self.instance, self._dsn = instance, dsn_text
        self._stop_asked = threading.Event()
        self.accepted = []
        self.answers = 0

    def run(self):
        session = None
        while not self._stop_asked.is_set():
            began = time.monotonic()
            try:
                if session is None:
                    session = sql.Session(self._dsn, PATIENCE_SECONDS)
                in_recovery = session.value("SELECT pg_is_in_recovery()", seconds=PATIENCE_SECONDS)
                self.answers += 1
                if not in_recovery:
                    sent = time.monotonic()
                    timeline = session.value(WRITE, (self.instance,), PATIENCE_SECONDS)
                    self.accepted.append(Accepted(self.instance, int(timeline, 16), sent, time.monotonic()))
            except (psycopg2.Error, IndexError):
                if session is not None:
                    session.close()
                session = None
            self._stop_asked.wait(max(0.0, PERIOD_SECONDS - (time.monotonic() - began)))
        if session is not None:
            session.close()

    def stop(self):
        self._stop_asked.set()
        self.join(5)


def prepare(dsn_text, endpoints):
    sql.ask(dsn_text, "CREATE TABLE IF NOT EXISTS e2e_probe (endpoint text PRIMARY KEY, n bigint NOT NULL)")
    for endpoint in endpoints:
        sql.ask(dsn_text, "INSERT INTO e2e_probe VALUES (%s, 0) ON CONFLICT DO NOTHING", (endpoint,))


def two_primaries(accepted):
    """Proof that two instances accepted writes at once, as text, or None.

    A tenure is what one instance accepted on one timeline; it lasted at least from the end of its first write to the beginning of
    its last. Tenures of different instances must not meet, no timeline may have two writers, and timelines only grow.
    """
    tenures = {}
    for write in accepted:
        first, last = tenures.setdefault((write.timeline, write.instance), [write.ended, write.began])
        tenures[write.timeline, write.instance] = [min(first, write.ended), max(last, write.began)]
    ordered = sorted(tenures.items())
    for position, ((timeline, instance), (first, last)) in enumerate(ordered):
        for (later, other), (other_first, _) in ordered[position + 1:]:
            if other == instance:
                continue
            if later == timeline:
                return f"{instance} and {other} both wrote on timeline {timeline}"
            if last > other_first:
                return (f"{instance} (timeline {timeline}) accepted a write {1000 * (last - other_first):.0f} ms after "
                        f"{other} (timeline {later}) had accepted one")
    return None
