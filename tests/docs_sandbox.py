"""A sandbox with an operator, for what pages tell to type and to write: the API, PostgreSQL as processes, Services with their names."""
import base64
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("DOCS_BIN", ROOT / "build/release/bin")).resolve()
os.environ["PATH"] += f":{os.environ.get('CLUSTER_HOME', pathlib.Path.home() / '.cache/clusters')}/bin"


def skipped(why):
    print("SKIPPED: " + why)
    with open(os.environ.get("TWINSPAN_SKIPPED", os.devnull), "a", encoding="utf-8") as file:
        print(why, file=file)


def run(line, seconds=30):
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=seconds)
    return done.returncode, done.stdout, done.stderr.strip()


def kubectl(*words):
    done = subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=90)
    if done.returncode:
        raise SystemExit(f"FAILED: kubectl {' '.join(words)}: {done.stderr}")
    return done.stdout


def until(what, asked, seconds=60):
    end = time.monotonic() + seconds
    while not asked():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: not within {seconds} s: {what}")
        time.sleep(0.2)


class Sandbox:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="/tmp/td."))
        self.folder.chmod(0o755)
        self.children = []
        kubeconfig = self.folder / "kubeconfig"
        self.start("sandbox", "--runtime", "--crds", ROOT / "crds", "--state", self.folder / "s", "--kubeconfig-out", kubeconfig)
        until("the sandbox starts", kubeconfig.exists, 30)
        os.environ["KUBECONFIG"] = str(kubeconfig)
        self.start("operator", "--kubeconfig", kubeconfig, "--worker-image", "twinspan-worker:dev", "--health-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0")

    def start(self, name, *arguments):
        log = open(self.folder / f"{name}.log", "wb")
        self.children.append(subprocess.Popen([BIN / f"twinspan-{name}", *arguments], stdout=log, stderr=log))

    def psql(self, pod):
        """The command that asks the primary's PostgreSQL, or a replica's, as the user that runs it: no other one is let in by the socket."""
        for socket in self.folder.glob("s/p/*/v/run/.s.PGSQL.5432"):
            there = socket.stat()
            user = f"setpriv --reuid={there.st_uid} --regid={there.st_gid} --clear-groups " if os.getuid() == 0 else ""
            command = f"cd / && {user}psql -X -h {socket.parent}"
            if run(f"{command} -U postgres -qAtc 'select pg_is_in_recovery()'")[1].strip() == ("f" if "-east-" in pod else "t"):
                return command
        raise SystemExit(f"FAILED: no PostgreSQL for {pod}")

    def postmaster(self, endpoint):
        """The process of the endpoint's PostgreSQL."""
        for lock in self.folder.glob("s/p/*/v/run/.s.PGSQL.5432.lock"):
            if f"cluster_name = '{endpoint}'" in (lock.parent / "postgresql.conf").read_text():
                return int(lock.read_text().split()[0])
        raise SystemExit(f"FAILED: no PostgreSQL of {endpoint}")

    def end(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def named(sandbox, *command, more=""):
    """The command, where the Services of the sandbox have their names; `more` are lines beside theirs in /etc/hosts."""
    hosts = kubectl("get", "services", "-A", "-o", 'jsonpath={range .items[*]}{.spec.clusterIP} {.metadata.name}.{.metadata.namespace}.svc{"\\n"}{end}')
    (sandbox.folder / "hosts").write_text("127.0.0.1 localhost\n" + hosts + more)
    return ["unshare", "--mount", "bash", "-c", f'mount --bind {sandbox.folder}/hosts /etc/hosts && exec "$@"', "-", *command]


def with_names(sandbox, environment, script):
    """Runs a script where Services have their names."""
    done = subprocess.run(named(sandbox, "bash", "-ec", script), capture_output=True, text=True, timeout=90, env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr.strip()


def owner(sandbox, namespace, link):
    """What a pod that connects has in its environment."""
    def of(key):
        return base64.b64decode(kubectl("-n", namespace, "get", "secret", f"{link}-owner", "-o", f"jsonpath={{.data.{key}}}")).decode()
    authority = sandbox.folder / f"{link}.crt"
    authority.write_text(of(r"ca\.crt"))
    return {"PGHOST": of("host"), "PGPORT": of("port"), "PGUSER": of("username"), "PGPASSWORD": of("password"), "DATABASE_URL": of("uri"),
            "JDBC_URL": of("jdbc-uri"), "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(authority), "PGCONNECT_TIMEOUT": "3"}
