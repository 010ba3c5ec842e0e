"""A client that writes numbers one after the other through a Service and remembers each acknowledgement.

A number whose write failed is written again until it is acknowledged, as an application that retries would.
"""
import threading
import time

import psycopg2

import sql
from waiting import until

CONNECT_SECONDS, WRITE_SECONDS, RETRY_SECONDS = 0.5, 1.5, 0.01


class Writer(threading.Thread):
    def __init__(self, dsn_text, run, pace_seconds=0.002):
        super().__init__(daemon=True, name="writer")
        self._dsn, self._run, self._pace = dsn_text, run, pace_seconds
        self._stop_asked = threading.Event()
        self.acknowledged = []  # (number, moment of the acknowledgement); appended by this thread only
        self.failures = []  # (moment, error)
        self.retried = set()
        self.connections = []  # moments at which one was made

    def run(self):
        number, session = 1, None
        while not self._stop_asked.is_set():
            try:
                if session is None:
                    session = sql.Session(self._dsn, CONNECT_SECONDS)
                    self.connections.append(time.monotonic())
                session.query(
                    "INSERT INTO e2e_writes (run, n) VALUES (%s, %s) ON CONFLICT DO NOTHING", (self._run, number),
                    WRITE_SECONDS,
                )
            except psycopg2.Error as error:
                self.failures.append((time.monotonic(), str(error).strip()))
                self.retried.add(number)
                if session is not None:
                    session.close()
                    session = None
                time.sleep(RETRY_SECONDS)
                continue
            self.acknowledged.append((number, time.monotonic()))
            number += 1
            time.sleep(self._pace)
        if session is not None:
            session.close()

    def prepare(self):
        sql.ask(self._dsn, "CREATE TABLE IF NOT EXISTS e2e_writes (run text, n bigint, at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (run, n))")

    def stop(self):
        self._stop_asked.set()
        self.join(10)

    def wait_for(self, more, seconds=90):
        """Until so many more writes have been acknowledged than now."""
        goal = len(self.acknowledged) + more
        last = lambda: self.failures[-1][1] if self.failures else "no error"
        until(f"{more} more acknowledged writes",
              lambda: len(self.acknowledged) >= goal or f"{goal - len(self.acknowledged)} missing, last error: {last()}",
              seconds, every=0.01)

    def resumed(self, moment, seconds=60):
        """Waits until writes go on after a failure later than `moment`, and returns the longest pause since then."""
        def gone_on():
            failed = [at for at, _ in self.failures if at >= moment]
            if not failed:
                return "no write has failed yet"
            return self.acknowledged[-1][1] > failed[-1] or f"{len(failed)} failures: {self.failures[-1][1]}"

        until("writes through the Service after the fault", gone_on, seconds, every=0.01)
        self.wait_for(20)
        return self.longest_pause(moment)

    def refused(self):
        """The failures but those whose answer was only late: how late writes were is the pause's to tell."""
        return [(at, error) for at, error in self.failures if error != sql.LATE]

    def longest_pause(self, since):
        """The longest time between two acknowledgements, the later of which came after `since`."""
        moments = [at for _, at in self.acknowledged]
        pauses = [after - before for before, after in zip(moments, moments[1:]) if after > since]
        return max(pauses, default=0.0)

    def missing(self, dsn_text):
        """Acknowledged numbers that the server does not have."""
        stored = {row[0] for row in sql.ask(dsn_text, "SELECT n FROM e2e_writes WHERE run = %s", (self._run,), 60)}
        return [number for number, _ in self.acknowledged if number not in stored]
