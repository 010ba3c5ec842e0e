"""MinIO and Versity S3 Gateway with TLS on loopback, and the data that is synced between them."""
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import machinery

ACCESS, SECRET = "bench-access", "bench-secret-key"


class Servers:
    """The source is MinIO, the target Versity S3 Gateway; both keep their data in memory (tmpfs): no disk is measured.

    The gateway closes every connection after one request, unless it is told to keep them as other servers do.
    """

    def __init__(self, tools, space, keep_alive=True):
        self.tools = tools
        self.folder = tempfile.mkdtemp(prefix="ts-bench-s3-", dir=space)
        self.children, self.processes, self.urls = [], {}, {}
        for name in ("certs", "source", "target", "home", "local"):
            os.mkdir(os.path.join(self.folder, name))
        self.ca = os.path.join(self.folder, "certs/public.crt")
        self.key = os.path.join(self.folder, "certs/private.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.ca],
                       check=True, stderr=subprocess.DEVNULL)
        os.makedirs(os.path.join(self.folder, "home/.mc/certs/CAs"))
        shutil.copy(self.ca, os.path.join(self.folder, "home/.mc/certs/CAs/ca.crt"))
        ports = {name: machinery.free_port() for name in ("source", "target")}
        self.urls = {name: f"https://127.0.0.1:{port}" for name, port in ports.items()}
        try:
            self._start("source", [os.path.join(tools, "minio"), "server", "--quiet", "--address", f"127.0.0.1:{ports['source']}",
                                   "--certs-dir", os.path.join(self.folder, "certs"), os.path.join(self.folder, "source")],
                        {"MINIO_ROOT_USER": ACCESS, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off"})
            self._start("target", [os.path.join(tools, "versitygw"), "--quiet", "--port", f"127.0.0.1:{ports['target']}",
                                   "--cert", self.ca, "--key", self.key, *(["--keep-alive"] if keep_alive else []), "posix", os.path.join(self.folder, "target")],
                        {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET})
            for port in ports.values():
                self._wait(port)
        except BaseException:
            self.stop()
            raise

    def _start(self, name, command, environment):
        home = os.path.join(self.folder, "home")
        with open(os.path.join(self.folder, name + ".log"), "wb") as log:
            child = subprocess.Popen(command, env={"PATH": os.environ["PATH"], "HOME": home, **environment}, stdout=log, stderr=log)
        self.children.append(child)
        self.processes[name] = machinery.Process(child.pid)

    def _wait(self, port):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("an S3 server does not start; its log is in " + self.folder)

    def stop(self):
        for child in self.children:
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_seconds(self):
        return sum(process.cpu_seconds() for process in self.processes.values())

    def environment(self):
        """What all tools are told by: credentials are in no argument."""
        hosts = {f"MC_HOST_{name}": url.replace("://", f"://{ACCESS}:{SECRET}@") for name, url in self.urls.items()}
        keys = {f"{side}_{name}": value for side in ("SOURCE", "TARGET")
                for name, value in (("ACCESS_KEY_ID", ACCESS), ("SECRET_ACCESS_KEY", SECRET))}
        rclone = {f"RCLONE_CONFIG_{side.upper()}_{name}": value for side, url in self.urls.items()
                  for name, value in (("TYPE", "s3"), ("PROVIDER", "Minio" if side == "source" else "Other"), ("ENDPOINT", url),
                                      ("ACCESS_KEY_ID", ACCESS), ("SECRET_ACCESS_KEY", SECRET), ("REGION", "us-east-1"))}
        home = os.path.join(self.folder, "home")
        return {"PATH": os.environ["PATH"], "HOME": home, "RCLONE_CONFIG": os.path.join(home, "none"), "MC_DISABLE_PAGER": "1",
                **hosts, **keys, **rclone}

    def mc(self, *words):
        subprocess.run([os.path.join(self.tools, "mc"), "--quiet", *words], check=True, env=self.environment(),
                       stdout=subprocess.DEVNULL)

    def forget(self, bucket):
        """Faster than asking the gateway: a bucket of it is a folder, objects' metadata are attributes of files."""
        shutil.rmtree(os.path.join(self.folder, "target", bucket))


def write_object(path, size, seed):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest, noise = hashlib.sha256(), random.Random(seed)
    with open(path, "wb") as file:
        while size > 0:
            piece = noise.randbytes(min(size, 1 << 20))
            size -= len(piece)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


class Data:
    """A bucket of the source, and the SHA-256 of each of its objects."""

    def __init__(self, servers, bucket, count, size):
        self.servers, self.bucket, self.size = servers, bucket, size
        self.version = 0
        folder = os.path.join(servers.folder, "local", bucket)
        self.digests = {key: write_object(os.path.join(folder, key), size, key)
                        for key in (f"{n % 50:02d}/object-{n:05d}" for n in range(count))}
        servers.mc("mb", f"source/{bucket}")
        servers.mc("mirror", folder, f"source/{bucket}")
        shutil.rmtree(folder)

    def change(self, count):
        """Other content of the same size in `count` objects, others each time."""
        self.version += 1
        folder = os.path.join(self.servers.folder, "local", "changed")
        keys = sorted(self.digests)
        for n in range(count):
            key = keys[(n * len(keys) // count + self.version) % len(keys)]
            self.digests[key] = write_object(os.path.join(folder, key), self.size, f"{key} {self.version}")
        self.servers.mc("cp", "--recursive", folder + "/", f"source/{self.bucket}/")
        shutil.rmtree(folder)

    def check(self, bucket):
        """That the target has these objects and no others, read from the files that the gateway keeps them in."""
        folder = os.path.join(self.servers.folder, "target", bucket)
        seen = {}
        for at, folders, files in os.walk(folder):
            folders[:] = [one for one in folders if not one.startswith(".")]  # a tool's or the gateway's own
            for file in files:
                with open(os.path.join(at, file), "rb") as content:
                    seen[os.path.relpath(os.path.join(at, file), folder)] = hashlib.file_digest(content, "sha256").hexdigest()
        wrong = [key for key in self.digests.keys() | seen.keys() if seen.get(key) != self.digests.get(key)]
        if wrong:
            raise RuntimeError(f"{bucket}: {len(wrong)} of {len(self.digests)} objects are missing, others or different, such as {wrong[0]}")
