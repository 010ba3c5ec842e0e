"""Real S3 servers with TLS on loopback, each in a folder of its own."""
import hashlib
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time

from s3api import S3, Refused

TOOLS = pathlib.Path(os.environ.get("CLUSTER_HOME", pathlib.Path.home() / ".cache/clusters")) / "bin"
ACCESS_KEY, SECRET_KEY = "outage-access", "outage-secret-key"


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **more)


def free_port(address="127.0.0.1"):
    with socket.socket() as free:
        free.bind((address, 0))
        return free.getsockname()[1]


class Authority:
    """A certificate authority of this run. Valid since an hour ago: clocks go wrong here on purpose."""

    def __init__(self, folder):
        self.folder, self._lock = pathlib.Path(folder), threading.Lock()
        self.folder.mkdir(parents=True)
        self.ca = self.folder / "ca.crt"
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\nprivate_key=ca.key\ncertificate=ca.crt\n"
            "default_md=sha256\npolicy=any\nunique_subject=no\ncopy_extensions=copy\n[any]\ncommonName=supplied\n")
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("01\n")
        self._key("ca.key")
        self.run("req", "-new", "-key", "ca.key", "-subj", "/CN=outages", "-addext", "basicConstraints=critical,CA:TRUE", "-out", "ca.csr")
        self.run("ca", "-config", "ca.cnf", "-batch", "-selfsign", "-keyfile", "ca.key", *self._validity(), "-in", "ca.csr",
                 "-out", "ca.crt", "-notext")

    def _key(self, name):
        self.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name)

    def run(self, *words):
        run("openssl", *words, cwd=self.folder)

    @staticmethod
    def _validity():
        day = lambda offset: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset))
        return "-startdate", day(-3600), "-enddate", day(86400)

    def issue(self, folder, common_name, crt="tls.crt", key="tls.key", host="127.0.0.1", names=()):
        """tls.crt, tls.key and ca.crt, into `folder`."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with self._lock:  # one index, one serial number
            self._issue(folder, common_name, crt, key, host, names)
        (folder / "ca.crt").write_bytes(self.ca.read_bytes())
        return folder / crt, folder / key

    def _issue(self, folder, common_name, crt, key, host, names):
        self._key(folder / key)
        self.run("req", "-new", "-key", folder / key, "-subj", f"/CN={common_name}", "-addext",
                 ",".join([f"subjectAltName=IP:{host},DNS:localhost", *(f"DNS:{name}" for name in names)]), "-out", "one.csr")
        self.run("ca", "-config", "ca.cnf", "-batch", *self._validity(), "-in", "one.csr", "-out", folder / crt, "-notext")


class Server:
    """A server process; `data` is where it keeps everything, `host` the address it listens at, `names` others that lead there."""
    kind = ""

    def __init__(self, authority, folder, data=None, host="127.0.0.1", names=()):
        self.folder = pathlib.Path(folder)
        self.data = pathlib.Path(data or self.folder / "data")
        self.data.mkdir(parents=True, exist_ok=True)
        self.host, self.port = host, free_port(host)
        self.endpoint = f"https://{host}:{self.port}"
        self.ca = authority.ca
        self.certificate, self.key = authority.issue(self.folder / "certs", "s3", "public.crt", "private.key", host, names)
        environment = {**os.environ, "HOME": str(self.folder), **self.environment()}
        with open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen([str(word) for word in self.command()], env=environment, stdout=log, stderr=log)
        self.pid = self._process.pid
        self.s3 = S3(self.endpoint, ACCESS_KEY, SECRET_KEY, str(self.ca))
        self._wait()

    def environment(self):
        return {}

    def _wait(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection((self.host, self.port), 1) as plain:
                    ssl.create_default_context(cafile=self.ca).wrap_socket(plain, server_hostname=self.host).close()
                self.s3.request("GET", "", expect=(200, 403))
                return
            except (OSError, Refused) as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.kind} does not start: {error}: {(self.folder / 'log').read_text()[-2000:]}") from error
            time.sleep(0.1)

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Minio(Server):
    kind = "minio"

    def environment(self):
        return {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off", "MINIO_CI_CD": "1"}

    def command(self):
        return [TOOLS / "minio", "server", "--quiet", "--address", f"{self.host}:{self.port}", "--certs-dir", self.folder / "certs", self.data]

    def half_uploads(self, bucket, keys):
        """What is left of uploads of these keys that nobody completed or aborted: MinIO lists those of one key only, and
        keeps them in folders named by the digest of bucket and key."""
        folders = [self.data / ".minio.sys/multipart" / hashlib.sha256(f"{bucket}/{key}".encode()).hexdigest() for key in keys]
        return [str(one) for folder in folders for one in folder.glob("*") if one.is_dir()]

    def admin(self, *words):
        run(TOOLS / "mc", "--config-dir", self.folder / "mc", "--quiet", *words)

    def cat(self, bucket, key):
        return subprocess.run([TOOLS / "mc", "--config-dir", self.folder / "mc", "--quiet", "cat", f"own/{bucket}/{key}"], check=True,
                              capture_output=True).stdout

    def alias(self):
        (self.folder / "mc/certs/CAs").mkdir(parents=True, exist_ok=True)
        (self.folder / "mc/certs/CAs/ca.crt").write_bytes(self.ca.read_bytes())
        self.admin("alias", "set", "own", self.endpoint, ACCESS_KEY, SECRET_KEY)


class Versity(Server):
    kind = "versitygw"

    def environment(self):
        return {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}

    def command(self):
        return [TOOLS / "versitygw", "--quiet", "--port", f"{self.host}:{self.port}", "--cert", self.certificate, "--key", self.key,
                "posix", "--versioning-dir", self._versions(), self.data]

    def _versions(self):
        folder = self.data.with_name("versions")
        folder.mkdir(exist_ok=True)
        return folder

    def half_uploads(self, bucket, keys):
        return [str(one) for one in (self.data / bucket / ".sgwtmp/multipart").glob("*/*")]


class Full(Versity):
    """Versity on a volume of its own that is too small, until it grows."""
    kind = "full"

    def __init__(self, authority, folder):
        data = pathlib.Path(folder) / "data"
        data.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", "size=24m", "outages", data)
        super().__init__(authority, folder, data)

    def grow(self):
        run("mount", "-o", "remount,size=256m", self.data)

    def stop(self):
        super().stop()
        run("umount", self.data)


class Stub:
    """The project's server in memory, which knows every key: a source of those that others fold."""
    kind = "stub"

    def __init__(self, program):
        self._process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True,
                                         env={**os.environ, "S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY})
        self.endpoint = self._process.stdout.readline().split()[-1]
        self.s3 = S3(self.endpoint, ACCESS_KEY, SECRET_KEY)

    def stop(self):
        self._process.terminate()
        self._process.wait(10)


def missing():
    return [name for name in ("minio", "mc", "versitygw") if not os.access(TOOLS / name, os.X_OK)]
