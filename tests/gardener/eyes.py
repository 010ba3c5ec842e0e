"""Looks at every PostgreSQL server below a folder, as the account that runs them; a process of its own, ended by the end of its input.

Asks each of them every 50 ms whether it accepts writes, by writing, and prints what was accepted as a line of JSON; finds servers by their processes, so that one
of a pod that is gone, or that nobody knows of, is asked as well. A line of JSON on its input, {"id", "pid", "database", "sql"}, is answered by one with "answer".

usage: eyes.py FOLDER
"""
import json
import os
import pathlib
import sys
import threading
import time

import psycopg2

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "e2e/scenarios"))
import sql  # noqa: E402

PERIOD_SECONDS, PATIENCE_SECONDS, LOOK_SECONDS = 0.05, 0.5, 0.2
PREPARE = "CREATE TABLE IF NOT EXISTS gardener_probe AS SELECT 0::bigint AS n"
# The timeline is that of the log being written. The value comes from a table: a server that accepts no write says so.
WRITE = "UPDATE gardener_probe SET n = n + 1 RETURNING left(pg_walfile_name(pg_current_wal_lsn()), 8)"

tell_lock = threading.Lock()


def tell(**what):
    with tell_lock:
        print(json.dumps(what), flush=True)


def socket_folder(data):
    with open(f"{data}/postmaster.pid", encoding="utf-8") as file:
        return file.read().split("\n")[4]


def dsn(data, database):
    return psycopg2.extensions.make_dsn(host=socket_folder(data), user="postgres", dbname=database, application_name="gardener",
                                        options="-c synchronous_commit=local -c statement_timeout=0")


class Server(threading.Thread):
    def __init__(self, pid, data):
        super().__init__(daemon=True)
        self.pid, self.data, self.ended = pid, data, False
        self.start()

    def run(self):
        session, name = None, ""
        while not self.ended:
            began = time.monotonic()
            try:
                if session is None:
                    session = sql.Session(dsn(self.data, "postgres"), PATIENCE_SECONDS)
                    now = session.value("SHOW cluster_name", seconds=PATIENCE_SECONDS)
                    if now != name:
                        name = now
                        tell(seen=self.pid, data=self.data, endpoint=name)
                if not session.value("SELECT pg_is_in_recovery()", seconds=PATIENCE_SECONDS):
                    if session.value("SELECT to_regclass('gardener_probe')", seconds=PATIENCE_SECONDS) is None:
                        session.query(PREPARE, seconds=PATIENCE_SECONDS)
                    sent = time.monotonic()
                    timeline = session.value(WRITE, seconds=PATIENCE_SECONDS)
                    tell(accepted=self.pid, data=self.data, endpoint=name, timeline=int(timeline, 16), began=sent, ended=time.monotonic())
            except (psycopg2.Error, IndexError, OSError):
                if session is not None:
                    session.close()
                session = None
            time.sleep(max(0.0, PERIOD_SECONDS - (time.monotonic() - began)))
        if session is not None:
            session.close()


def servers(folder):
    """pid → data directory of every server whose data lie below the folder."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{entry}/exe").split(" ")[0].rsplit("/", 1)[1] != "postgres":
                continue
            data = os.readlink(f"/proc/{entry}/cwd")
            command = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\0")
            parent = open(f"/proc/{entry}/stat", "rb").read().rsplit(b")", 1)[1].split()[1].decode()
            # A server that only just began has not gone to its data yet.
            if not data.startswith(folder) or not os.path.exists(f"{data}/PG_VERSION") or b"--single" in command or b"--boot" in command or b"-C" in command:
                continue
            if open(f"/proc/{parent}/comm", encoding="utf-8").read().strip() == "postgres":  # whoever may read it; exe is for its own account
                continue
        except (OSError, IndexError):
            continue
        found[int(entry)] = data
    return found


def answer(request):
    try:
        rows = sql.ask(dsn(request["data"], request["database"]), request["sql"], None, request["seconds"])
        tell(answer=request["id"], rows=[[None if one is None else str(one) for one in row] for row in rows])
    except (psycopg2.Error, OSError, IndexError) as error:
        tell(answer=request["id"], error=str(error).strip() or type(error).__name__)


def requests():
    for line in sys.stdin:
        threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
    os._exit(0)


def main():
    threading.Thread(target=requests, daemon=True).start()
    watched = {}
    while True:
        now = servers(sys.argv[1])
        for pid, data in now.items():
            if pid not in watched:
                watched[pid] = Server(pid, data)
        for pid in set(watched) - set(now):
            watched.pop(pid).ended = True
            tell(gone=pid)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
