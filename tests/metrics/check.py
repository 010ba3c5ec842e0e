"""Who gets /metrics. check.py KUBECTL HEALTH_PORT METRICS_PORT OPERATOR_LOG API_PID, with an administrator's KUBECONFIG set; it ends the API server."""
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

KUBECTL, HEALTH, METRICS, LOG, API = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4]), int(sys.argv[5])
NAME = "twinspan-metrics.twinspan.svc"
tokens, wrong = [], []


def kubectl(*arguments):
    done = subprocess.run([KUBECTL, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        sys.exit(f"FAILED: kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def account(name):
    kubectl("-n", "monitoring", "create", "serviceaccount", name)
    return token(name)


def token(name):
    tokens.append(kubectl("-n", "monitoring", "create", "token", name))
    return tokens[-1]


def bind(name):
    kubectl("create", "clusterrolebinding", f"metrics-{name}", "--clusterrole=twinspan-metrics-reader", f"--serviceaccount=monitoring:{name}")


def exchange(connection, path, shown):
    head = f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n" + (f"Authorization: Bearer {shown}\r\n" if shown else "") + "\r\n"
    connection.sendall(head.encode())
    answer = b""
    try:
        while part := connection.recv(1 << 16):
            answer += part
    except (ssl.SSLError, ConnectionError):
        pass
    return answer.decode(errors="replace")


def ask(shown="", path="/metrics"):
    """Status and text; None where there is no connection."""
    trust = ssl.create_default_context(cadata=bundle)
    try:
        with socket.create_connection(("127.0.0.1", METRICS), timeout=30) as plain, trust.wrap_socket(plain, server_hostname=NAME) as secure:
            answer = exchange(secure, path, shown)
    except ConnectionRefusedError:
        return None, ""
    return int(answer.split()[1]), answer


def plainly(port, path, shown=""):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        return exchange(connection, path, shown)


def expect(what, true, seen=""):
    if not true:
        wrong.append(f"{what}: {seen}")


def until(what, true, seconds=60):
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            sys.exit(f"FAILED: {what}: not within {seconds} s")
        time.sleep(0.2)
    return time.monotonic() - began


def written():
    global bundle
    bundle = json.loads(kubectl("-n", "twinspan", "get", "configmap", "twinspan-metrics-ca", "-o", "json")).get("data", {}).get("ca.crt", "")
    return bundle


bundle = ""
until("the operator shows its authority in the ConfigMap", written)
until("it listens, by a certificate of that authority", lambda: ask()[0] is not None)
kubectl("create", "namespace", "monitoring")
prometheus, other, stranger = account("prometheus"), account("other"), account("stranger")
bind("prometheus")
bind("other")

status, text = ask(prometheus)
expect("who may get /metrics gets them", status == 200 and "twinspan_build_info{" in text, text[:200])
expect("and nothing else", ask(prometheus, "/healthz")[0] == 404)
for what, shown, wanted in (("no token", "", 401), ("a token of nobody's", "e30.e30.e30", 401), ("a token whose user may not", stranger, 403)):
    status, text = ask(shown)
    expect(f"{what}: {wanted}", status == wanted and "twinspan_build_info{" not in text, text[:200])
text = plainly(METRICS, "/metrics", prometheus)
expect("nothing without TLS, whoever asks", "HTTP/1" not in text and "twinspan" not in text, text[:200])
expect("health is plain as ever", " 200 " in plainly(HEALTH, "/healthz").splitlines()[0])
expect("and has no metrics", " 404 " in plainly(HEALTH, "/metrics", prometheus).splitlines()[0])
try:
    with socket.create_connection(("127.0.0.1", METRICS), timeout=30) as plain, ssl.create_default_context().wrap_socket(plain, server_hostname=NAME):
        wrong.append("a client trusts it that does not know its authority")
except ssl.SSLCertVerificationError:
    pass

# A right that is taken and an account that is gone let in for 30 s at most. What the real API server remembers of tokens comes on top: ten seconds.
ask(other)
kubectl("delete", "clusterrolebinding", "metrics-prometheus")
kubectl("-n", "monitoring", "delete", "serviceaccount", "other")
took = until("a right that was taken is gone", lambda: ask(prometheus)[0] == 403, 50)
until("a token whose account is gone is unknown", lambda: ask(other)[0] == 401, 30)
bind("prometheus")
until("a right that is given is seen", lambda: ask(prometheus)[0] == 200, 20)

fresh = token("prometheus")
os.kill(API, signal.SIGKILL)
status, text = ask(fresh)
expect("nobody new is let in while the API is away", status == 503 and "twinspan_build_info{" not in text, text[:200])
log = LOG.read_text()
expect("the log says why", "nobody can be let in to /metrics" in log)
expect("no token is in the log", not any(one in log or one.split(".")[-1] in log for one in tokens))
if wrong:
    sys.exit("FAILED:\n" + "\n".join(wrong))
print(f"metrics over TLS: passed; a right that was taken let in for {took:.0f} s more")
