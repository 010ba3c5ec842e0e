"""PostgreSQL with a deadline on every step, as a client that must not hang behind a dead primary needs it."""
import select
import time

import psycopg2
import psycopg2.extensions


LATE = "no answer in time"


class Timeout(psycopg2.OperationalError):
    pass


def dsn(host, user, password, database, **more):
    fields = {"host": host, "port": 5432, "user": user, "password": password, "dbname": database, "sslmode": "require",
              "gssencmode": "disable", "application_name": "e2e", **more}
    return psycopg2.extensions.make_dsn(**fields)


class Session:
    """One connection; every statement commits by itself. Any error but a refusal by the server closes it."""

    def __init__(self, dsn_text, seconds):
        self._connection = psycopg2.connect(dsn_text, async_=True)
        try:
            self._wait(time.monotonic() + seconds)
        except BaseException:
            self.close()
            raise

    def query(self, statement, arguments=None, seconds=2.0):
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement, arguments)
            self._wait(time.monotonic() + seconds)
            return cursor.fetchall() if cursor.description else []
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self.close()
            raise
        finally:
            cursor.close()

    def value(self, statement, arguments=None, seconds=2.0):
        return self.query(statement, arguments, seconds)[0][0]

    @property
    def open(self):
        return not self._connection.closed

    def close(self):
        self._connection.close()

    def _wait(self, deadline):
        while True:
            state = self._connection.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(LATE)
            reading = [self._connection] if state == psycopg2.extensions.POLL_READ else []
            writing = [self._connection] if state == psycopg2.extensions.POLL_WRITE else []
            select.select(reading, writing, [], left)


def ask(dsn_text, statement, arguments=None, seconds=10.0):
    """The rows of one statement on a connection of its own, on which commits wait for nobody."""
    session = Session(dsn_text, seconds)
    try:
        return session.query(statement, arguments, seconds)
    finally:
        session.close()
