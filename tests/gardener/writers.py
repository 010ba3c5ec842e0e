"""Clients that append numbers and remember what was acknowledged, as applications that retry do."""
import threading
import time

import psycopg2

import sql

CONNECT_SECONDS, WRITE_SECONDS, RETRY_SECONDS, PACE_SECONDS = 1.0, 3.0, 0.05, 0.015
INSERT = "INSERT INTO gardener_writes (client, n) VALUES (%s, %s) ON CONFLICT DO NOTHING"


class Writer(threading.Thread):
    """`find` gives a DSN or raises; asked anew after each failure."""

    def __init__(self, client, find):
        super().__init__(daemon=True, name=f"writer-{client}")
        self.client, self._find, self._ended = client, find, threading.Event()
        self.acknowledged = []  # (number, moment); appended by this thread only
        self.failures, self.last_error = 0, ""
        self.start()

    def run(self):
        number, session = 1, None
        while not self._ended.is_set():
            try:
                if session is None:
                    session = sql.Session(self._find(), CONNECT_SECONDS)
                session.query(INSERT, (self.client, number), WRITE_SECONDS)
            except Exception as error:  # the API away, a Secret gone, PostgreSQL's own: all of them are a failed write
                self.failures += 1
                self.last_error = f"{type(error).__name__}: {str(error).strip()}"
                if session is not None:
                    session.close()
                    session = None
                self._ended.wait(RETRY_SECONDS)
                continue
            self.acknowledged.append((number, time.monotonic()))
            number += 1
            self._ended.wait(PACE_SECONDS)
        if session is not None:
            session.close()

    def stop(self):
        self._ended.set()

    def since(self, moment):
        """How many writes were acknowledged after it."""
        count = 0
        for _, at in reversed(self.acknowledged):
            if at <= moment:
                break
            count += 1
        return count

    def last(self):
        return self.acknowledged[-1][1] if self.acknowledged else 0.0

    def longest_pause(self, since, until):
        moments = [since, *(at for _, at in self.acknowledged if since < at < until), until]
        return max(after - before for before, after in zip(moments, moments[1:]))
