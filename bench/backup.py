"""A link's backups, restores and log by Twinspan, beside pgBackRest driven by hand with the same settings and beside pg_basebackup | zstd | mc pipe.

One MinIO with TLS, two PostgreSQL 15 of the same size: a link's primary, whose agent does it all, and one that is set up by hand. Both store at level 1 of zstd, encrypted,
with one process. In each round both do everything, each time another one first.
"""
import base64
import contextlib
import http.client
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import figures
import machinery

POSTGRES = "/usr/lib/postgresql/15/bin"
PASSPHRASE = "a passphrase of 32 characters ..."
ACCESS, SECRET = "bench-access", "bench-secret-key"
API = "/apis/twinspan.dev/v1alpha1/namespaces/bench"
TARGETS = {"full, differential, incremental, restore": "wall and CPU at most 1.05 of pgBackRest by hand; a full's wall at most 0.7 of the pipe's",
           "log": "MB per CPU second at least 1.0 of archive-push; a segment stored after 300 ms at the median, 1 s at the 99th percentile"}


def tree(pid):
    """The processes of `pid` and below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as file:
                parents[int(entry)] = int(file.read().rsplit(")", 1)[1].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_seconds(pids):
    """Of processes and of those children of theirs that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            total += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
    return total / machinery.TICK


def until(what, asked, seconds=300, every=0.02):
    end = time.monotonic() + seconds
    while True:
        found = asked()
        if found:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(every)


class Bucket:
    """MinIO with TLS for the name localhost: pgBackRest compares names."""

    def __init__(self, folder, tools):
        self.folder, self.tools, self.port = folder / "minio", tools, machinery.free_port()
        certs = self.folder / "certs"
        certs.mkdir(parents=True)
        self.ca = certs / "public.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", certs / "private.key", "-out", self.ca], check=True, stderr=subprocess.DEVNULL)
        self.log = open(self.folder / "log", "wb")
        self.child = subprocess.Popen([os.path.join(tools, "minio"), "server", "--quiet", "--address", f"127.0.0.1:{self.port}", "--certs-dir", certs, self.folder / "data"],
                                      env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "MINIO_ROOT_USER": ACCESS, "MINIO_ROOT_PASSWORD": SECRET},
                                      stdout=self.log, stderr=self.log)
        until("MinIO listens", self._listens, 30)
        home = self.folder / ".mc/certs/CAs"
        home.mkdir(parents=True)
        shutil.copy(self.ca, home / "ca.crt")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "MC_HOST_b": f"https://{ACCESS}:{SECRET}@localhost:{self.port}"}
        subprocess.run([os.path.join(tools, "mc"), "--quiet", "mb", "b/ours", "b/hand", "b/pipe"], check=True, env=self.environment, stdout=subprocess.DEVNULL)

    def _listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True

    def stored(self, bucket):
        """Names of the log's segments in a bucket, and since when; MinIO keeps an object as a folder."""
        found = {}
        for at in (self.folder / "data" / bucket).rglob("archive/**/*-*.zst"):
            if at.name[24:25] == "-":
                found.setdefault(at.name[:24], at.stat().st_mtime)
        return found

    def stop(self):
        self.child.terminate()
        self.child.wait(20)
        self.log.close()


class Api:
    """The embedded API server, by its kubeconfig."""

    def __init__(self, kubeconfig):
        import yaml  # Debian's python3-yaml
        found = yaml.safe_load(kubeconfig.read_text())
        server = found["clusters"][0]["cluster"]
        user = found["users"][0]["user"]
        self.url = server["server"]
        self.headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self.context = None
        if self.url.startswith("https"):
            self.context = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
            if "client-certificate-data" in user:
                identity = kubeconfig.parent / "client.pem"
                identity.write_bytes(base64.b64decode(user["client-key-data"]) + base64.b64decode(user["client-certificate-data"]))
                self.context.load_cert_chain(identity)

    def call(self, method, path, body=None, content_type="application/json"):
        host = self.url.split("://")[1].rstrip("/")
        connection = http.client.HTTPSConnection(host, context=self.context, timeout=30) if self.context else http.client.HTTPConnection(host, timeout=30)
        try:
            return machinery.call(connection, method, path, body, content_type, self.headers)
        finally:
            connection.close()

    def make(self, kind, plural, name, spec, version="twinspan.dev/v1alpha1", **more):
        base = API if version != "v1" else "/api/v1/namespaces/bench"
        return self.call("POST", f"{base}/{plural}", {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "bench"},
                                                      **({"spec": spec} if spec else {}), **more})

    def status(self, plural, name):
        return self.call("GET", f"{API}/{plural}/{name}").get("status", {})

    def ready(self, plural, name):
        conditions = {one["type"]: one for one in self.status(plural, name).get("conditions", [])}
        return conditions.get("Ready", {}).get("status") == "True"


class Ours:
    """A link of one primary and one replica in the sandbox; everything is done at the primary, as by hand."""

    name = "twinspan"

    def __init__(self, source, options, folder, bucket):
        self.folder, self.bucket, self.bin, self.count = folder, bucket, pathlib.Path(options.bin), 0
        self.children, self.logs = [], []
        kubeconfig = folder / "kubeconfig"
        self._start("twinspan-sandbox", "--runtime", "--crds", f"{source}/crds", "--state", folder / "s", "--kubeconfig-out", kubeconfig)
        until("the sandbox starts", kubeconfig.exists, 30)
        self._start("twinspan-operator", "--kubeconfig", kubeconfig, "--worker-image", "twinspan-worker:dev", "--health-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0")
        self.api = Api(kubeconfig)
        self.api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}})
        managed = {"storage": {"ephemeral": True}, "parameters": {"shared_buffers": "64MB", "max_wal_size": "4GB"}}
        until("the kinds are served", self._served, 30)
        self.api.make("ReplicationLink", "replicationlinks", "orders", {
            "engine": "Postgres", "source": {"name": "east"}, "targets": [{"name": "west"}], "postgres": {"managed": managed, "database": "bench"}})
        until("the link is Ready", lambda: self.api.ready("replicationlinks", "orders"))
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in
                   {"accessKeyId": ACCESS, "secretAccessKey": SECRET, "ca.crt": bucket.ca.read_text(), "key": PASSPHRASE}.items()}
        self.api.make("Secret", "secrets", "bucket", None, "v1", data=encoded)
        self.place = {"endpoint": f"https://localhost:{bucket.port}", "bucket": "ours", "prefix": "ours/", "credentialsSecretRef": {"name": "bucket"}, "caSecretRef": {"name": "bucket"}}
        self.api.make("BackupSchedule", "backupschedules", "orders", {
            "linkRef": {"name": "orders"}, "takeFrom": "Primary", "destination": {"s3": self.place}, "continuous": {"maxDelaySeconds": 60, "keepFreePercent": 1},
            "encryption": {"keySecretRef": {"name": "bucket", "key": "key"}}})
        until("the schedule is Ready", lambda: self.api.ready("backupschedules", "orders"))
        until("the link is Ready again", lambda: self.api.ready("replicationlinks", "orders"))
        self.socket = self._socket("east")

    def _served(self):
        with contextlib.suppress(RuntimeError):
            return self.api.call("GET", f"{API}/replicationlinks") is not None

    def _start(self, program, *arguments):
        self.logs.append(open(self.folder / f"{program}.log", "wb"))
        self.children.append(subprocess.Popen([self.bin / program, *map(str, arguments)], stdout=self.logs[-1], stderr=self.logs[-1]))

    def _socket(self, endpoint):
        for lock in self.folder.glob("s/p/*/v/run/.s.PGSQL.5432.lock"):
            if f"cluster_name = '{endpoint}'" in (lock.parent / "postgresql.conf").read_text():
                return lock.parent
        raise RuntimeError(f"no PostgreSQL of {endpoint}")

    def postmaster(self):
        return int((self.socket / ".s.PGSQL.5432.lock").read_text().split()[0])

    def agent(self):
        with open(f"/proc/{self.postmaster()}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])

    def user(self):
        there = (self.socket / ".s.PGSQL.5432").stat()
        return ["setpriv", f"--reuid={there.st_uid}", f"--regid={there.st_gid}", "--clear-groups"] if os.getuid() == 0 else []

    def back_up(self, kind):
        self.count += 1
        name, pids = f"b{self.count}", tree(self.agent())
        before, began = cpu_seconds(pids), time.monotonic()
        self.api.make("Backup", "backups", name, {"scheduleRef": {"name": "orders"}, "kind": kind.capitalize()})

        def over():
            status = self.api.status("backups", name)
            if status.get("phase") == "Failed":
                raise RuntimeError(f"{kind}: {status.get('message')}")
            return status.get("phase") == "Completed"
        until(f"a {kind} backup", over)
        seconds = time.monotonic() - began
        return {"seconds": seconds, "cpuSeconds": cpu_seconds(pids | tree(self.agent())) - before}

    def restore(self):
        self.count += 1
        name, began = f"r{self.count}", time.monotonic()
        self.api.make("Restore", "restores", name, {"from": {"scheduleRef": {"name": "orders"}}, "target": {"latest": True}, "to": {"newLink": {"name": name}}})

        def over():
            status = self.api.status("restores", name)
            if status.get("phase") == "Failed":
                raise RuntimeError(f"restore: {status.get('message')}")
            return status.get("phase") in ("Attaching", "Completed")
        until("a restore", over)
        seconds = time.monotonic() - began
        until("the new link is Ready", lambda: self.api.status("restores", name).get("phase") == "Completed")
        whole = time.monotonic() - began
        self.api.call("DELETE", f"{API}/replicationlinks/{name}")
        self.api.call("DELETE", f"{API}/restores/{name}")
        until("its pods are gone", lambda: not any(item["metadata"]["name"].startswith(name + "-") for item in self.api.call("GET", "/api/v1/namespaces/bench/pods")["items"]))
        return {"seconds": seconds, "withReplicaSeconds": whole}

    def archiver_cpu(self):
        """Of what stores the log: PostgreSQL's archiver with its commands, and the agent without PostgreSQL."""
        return cpu_seconds([pid for pid in tree(self.postmaster()) if is_archiver(pid)] + [self.agent()])

    def stop(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
        for log in self.logs:
            log.close()


def is_archiver(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"archiver" in file.read()
    return False


class ByHand:
    """A PostgreSQL with pgBackRest, as its manual says, and the settings that an agent gives it."""

    name = "pgbackrest"

    def __init__(self, folder, bucket):
        self.folder, self.bucket, self.socket = folder / "hand", bucket, folder / "hand"
        self.data, self.config, self.count = self.folder / "data", self.folder / "pgbackrest.conf", 0
        self.folder.mkdir()
        options = {"repo1-type": "s3", "repo1-s3-endpoint": "localhost", "repo1-storage-port": bucket.port, "repo1-s3-bucket": "hand", "repo1-s3-region": "us-east-1",
                   "repo1-s3-uri-style": "path", "repo1-s3-key": ACCESS, "repo1-s3-key-secret": SECRET, "repo1-storage-ca-file": bucket.ca, "repo1-path": "/hand", "repo1-bundle": "y",
                   "repo1-retention-full": 9999999, "expire-auto": "n", "compress-type": "zst", "compress-level": 1, "start-fast": "y", "repo1-cipher-type": "aes-256-cbc",
                   "repo1-cipher-pass": PASSPHRASE, "lock-path": self.folder / "lock", "spool-path": self.folder / "spool", "log-level-file": "off", "log-level-console": "off",
                   "log-level-stderr": "warn", "process-max": 1}
        self.config.write_text("[global]\n" + "".join(f"{name}={value}\n" for name, value in options.items()) +
                               f"[hand]\npg1-path={self.data}\npg1-port=5432\npg1-socket-path={self.folder}\n")
        subprocess.run(["chown", "-R", "postgres:", self.folder], check=True)
        os.chmod(self.config, 0o600)
        self.run(f"{POSTGRES}/initdb", "-k", "-D", self.data)
        self.settings = {"port": 5432, "listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'", "shared_buffers": "64MB", "max_wal_size": "4GB", "wal_log_hints": "on",
                         "archive_mode": "on", "archive_command": f"'pgbackrest --config={self.config} --stanza=hand archive-push %p'"}
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self.settings.items())
        self.run(f"{POSTGRES}/pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "start")
        self.pgbackrest("stanza-create")
        subprocess.run([f"{POSTGRES}/createdb", "-h", self.folder, "-U", "postgres", "bench"], check=True)

    def user(self):
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]

    def run(self, *command):
        done = subprocess.run([*self.user(), *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr[-1000:]}")

    def pgbackrest(self, *words):
        self.run("pgbackrest", f"--config={self.config}", "--stanza=hand", *words)

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def _measured(self, work):
        pids = tree(self.postmaster())
        before, own, began = cpu_seconds(pids), os.times(), time.monotonic()
        work()
        seconds, after = time.monotonic() - began, os.times()
        return {"seconds": seconds, "cpuSeconds": cpu_seconds(pids | tree(self.postmaster())) - before +
                after.children_user + after.children_system - own.children_user - own.children_system}

    def back_up(self, kind):
        short = {"full": "full", "differential": "diff", "incremental": "incr"}[kind]
        return self._measured(lambda: self.pgbackrest(f"--type={short}", "--no-resume", "backup"))

    def pipe(self):
        self.count += 1
        mc = os.path.join(self.bucket.tools, "mc")
        line = (f"set -o pipefail; {' '.join(self.user())} {POSTGRES}/pg_basebackup -h {self.folder} -U postgres -c fast -X fetch -F t -D - | zstd -1 -q | "
                f"{mc} --quiet pipe b/pipe/{self.count}.tar.zst")
        return self._measured(lambda: subprocess.run(["bash", "-c", line], check=True, env=self.bucket.environment, stdout=subprocess.DEVNULL))

    def restore(self):
        """Into an empty folder, log and all, until it takes writes."""
        self.run("psql", "-h", self.folder, "-Xqc", "SELECT pg_switch_wal()", "postgres")
        there = self.folder / "restored"
        began = time.monotonic()
        self.pgbackrest(f"--pg1-path={there}", "--type=default", "restore")
        with open(there / "postgresql.conf", "a") as file:
            file.write(f"port = 5433\narchive_mode = off\nrestore_command = 'pgbackrest --config={self.config} --stanza=hand --pg1-path={there} archive-get %f \"%p\"'\n")
        self.run(f"{POSTGRES}/pg_ctl", "-D", there, "-l", self.folder / "log-restored", "-w", "-t", "300", "start")

        def open_for_writes():
            done = subprocess.run(["psql", "-h", self.folder, "-p", "5433", "-U", "postgres", "-XAtqc", "SELECT pg_is_in_recovery()", "postgres"], capture_output=True, text=True)
            return done.stdout.strip() == "f"
        until("it is open", open_for_writes)
        seconds = time.monotonic() - began
        self.run(f"{POSTGRES}/pg_ctl", "-D", there, "-m", "immediate", "-w", "stop")
        shutil.rmtree(there)
        return {"seconds": seconds}

    def archiver_cpu(self):
        return cpu_seconds([pid for pid in tree(self.postmaster()) if is_archiver(pid)])

    def stop(self):
        with contextlib.suppress(RuntimeError, OSError):
            self.run(f"{POSTGRES}/pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")


def sql(side, text, database="bench"):
    done = subprocess.run([*side.user(), "psql", "-h", str(side.socket), "-U", "postgres", "-XAtqc", text, database], capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{text[:60]}: {done.stderr}")
    return done.stdout.strip()


def change(side, seed):
    """One page of a hundred, at random."""
    pages = int(sql(side, "SELECT relpages FROM pg_class WHERE relname = 'pgbench_accounts'"))
    chosen = random.Random(seed).sample(range(pages), pages // 100)
    sql(side, "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE ctid = ANY(ARRAY[" + ",".join(f"'({page},1)'" for page in chosen) + "]::tid[])")
    sql(side, "CHECKPOINT")


def write_log(side, bucket, seconds, megabytes):
    """A steady rate of log: when each segment was done with, and when it was stored."""
    folder = next(pathlib.Path(sql(side, "SHOW data_directory")).glob("pg_wal"))
    done, stop = {}, threading.Event()

    def look():
        while not stop.is_set():
            for at in (folder / "archive_status").glob("*.*"):
                if at.suffix in (".ready", ".done") and len(at.stem) == 24:
                    with contextlib.suppress(OSError):
                        done.setdefault(at.stem, at.stat().st_ctime if at.suffix == ".ready" else None)
            time.sleep(0.005)
    sql(side, "CREATE TABLE IF NOT EXISTS filler (text text)")
    seen = set(bucket.stored(side.name_of_bucket))
    looker = threading.Thread(target=look)
    looker.start()
    before, start = side.archiver_cpu(), int(sql(side, "SELECT pg_current_wal_insert_lsn() - '0/0'"))
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        written = (int(sql(side, "SELECT pg_current_wal_insert_lsn() - '0/0'")) - start) / 1e6
        if written > passed * megabytes:
            time.sleep(0.02)
            continue
        sql(side, "INSERT INTO filler SELECT repeat(md5(i::text || random()), 30) FROM generate_series(1, 2000) i")
    bytes_written = int(sql(side, "SELECT pg_current_wal_insert_lsn() - '0/0'")) - start
    last = sql(side, "SELECT pg_walfile_name(pg_switch_wal())")
    until("the log is stored", lambda: last in bucket.stored(side.name_of_bucket), 120)
    cpu = side.archiver_cpu() - before
    stop.set()
    looker.join()
    stored = bucket.stored(side.name_of_bucket)
    waits = [1000 * (stored[name] - at) for name, at in done.items() if name in stored and name not in seen and at]
    sql(side, "TRUNCATE filler")
    return {"megabytesPerCpuSecond": bytes_written / 1e6 / cpu, "milliseconds": waits, "megabytesPerSecond": bytes_written / 1e6 / seconds}


def ratio(ours, theirs, key):
    pairs = [one[key] / other[key] for one, other in zip(ours, theirs)]
    return figures.summary(pairs, 2)


def run(source, options):
    for tool in ("minio", "mc"):
        if not os.path.exists(os.path.join(options.tools, tool)):
            raise SystemExit(f"bench: {tool} is not in {options.tools}: bench/prepare s3 builds it")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="/tmp/tb."))
    folder.chmod(0o755)
    result = figures.busy(figures.heading(source, os.path.join(options.bin, "twinspan-operator")))
    stops = []
    try:
        bucket = Bucket(folder, options.tools)
        stops.append(bucket.stop)
        ours = Ours(source, options, folder, bucket)
        stops.append(ours.stop)
        hand = ByHand(folder, bucket)
        stops.append(hand.stop)
        ours.name_of_bucket, hand.name_of_bucket = "ours", "hand"
        for side in (ours, hand):
            subprocess.run([*side.user(), f"{POSTGRES}/pgbench", "-i", "-q", "-s", str(options.scale), "-h", side.socket, "-U", "postgres", "bench"], check=True, cwd="/",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            sql(side, "CHECKPOINT")
        megabytes = int(sql(hand, "SELECT pg_database_size('bench')")) / 1e6
        runs = {}
        for number in range(options.rounds):
            print(f"backup: round {number + 1} of {options.rounds}, {megabytes:.0f} MB", flush=True)
            sides = [ours, hand] if number % 2 == 0 else [hand, ours]
            for kind in ("full", "incremental", "differential"):
                for side in sides:
                    if kind != "full":
                        change(side, number)
                    runs.setdefault((side.name, kind), []).append(side.back_up(kind))
            runs.setdefault(("pipe", "full"), []).append(hand.pipe())
            for side in sides:
                runs.setdefault((side.name, "restore"), []).append(side.restore())
            for side in sides:
                runs.setdefault((side.name, "log"), []).append(write_log(side, bucket, options.log_seconds, 16))
    finally:
        for stop in reversed(stops):
            stop()
        shutil.rmtree(folder, ignore_errors=True)
    result["what"] = __doc__.strip()
    result["megabytes"], result["rounds"], result["targets"] = round(megabytes), options.rounds, TARGETS
    result["cases"], rows = {}, []
    for (tool, case), all_runs in runs.items():
        cell = result["cases"].setdefault(case, {})
        if case == "log":
            waits = [one for each in all_runs for one in each.pop("milliseconds")]
            cell[tool] = {"segmentStoredMilliseconds": figures.summary(waits)}
        else:
            cell[tool] = {}
        cell[tool].update({key: figures.summary([one[key] for one in all_runs], 3) for key in all_runs[0]})
    for case, cell in result["cases"].items():
        for key in runs[("twinspan", case)][0]:
            if key in runs[("pgbackrest", case)][0]:
                cell.setdefault("ratio", {})[key] = ratio(runs[("twinspan", case)], runs[("pgbackrest", case)], key)
        if case == "full":
            cell["ratioToPipe"] = {"seconds": ratio(runs[("twinspan", "full")], runs[("pipe", "full")], "seconds")}
        for of, values in cell.items():
            rows += [figures.summary_row(f"{case}: {of} {key}", value) for key, value in values.items()]
    figures.table(f"backups of {megabytes:.0f} MB", figures.SUMMARY_COLUMNS, rows)
    figures.write(options.results, "backup", result)
