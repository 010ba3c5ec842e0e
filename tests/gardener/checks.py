"""What must hold once it is quiet."""
import collections
import time

import psycopg2

from api import ApiError, condition
from errors import Fault
from shop import NAME, endpoints
from sight import two_primaries

ENDING_SECONDS = 10  # how long a former pod's last process may take to be gone


def one_history(shop):
    """At any time: never two that accept writes."""
    if not shop.sight.alive():
        raise Fault("eyes", "the process that looks at every server ended, see eyes.log")
    both = two_primaries(shop.sight.tenures())
    if both:
        raise Fault("two primaries", both)


def foreign(shop, beside):
    touched, asked = "", False

    def look():
        nonlocal touched, asked
        try:
            touched, asked = beside.touched(), True
        except (ApiError, OSError) as error:  # it may be away on purpose
            return str(error)
        return ""
    said = shop.wait(30, look)
    if not asked:
        raise Fault("asked in vain", said)
    if touched:
        raise Fault("foreign objects", touched)


def one_primary(shop, seconds=1.0):
    """Exactly one server accepts writes, and it is the one that the status names."""
    since = time.monotonic()
    said = shop.wait(5, lambda: "" if shop.sight.writable(since) else "nobody accepts a write")
    time.sleep(seconds)  # so long nobody else may
    names = shop.sight.writable(since)
    if said or len(names) != 1:
        raise Fault("one primary", f"who accepts writes: {names}; servers: {shop.sight.servers()}")
    primary = shop.primary()
    if names[0].split(" ")[0] != primary:
        raise Fault("one primary", f"{names[0]} accepts writes, the status names {primary!r}")


def nothing_lost(shop):
    """A new password is in force once kubelet has handed it out, which no status waits for."""
    missing = []

    def look():
        nonlocal missing
        try:
            missing = shop.missing()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                return str(error)
            raise
        return ""
    try:
        said = shop.wait(20, look)
    except (psycopg2.Error, ApiError, TypeError) as error:
        said = str(error)
    if said:
        raise Fault("asked in vain", f"the primary {shop.primary()!r}: {said}")
    if missing:
        raise Fault("nothing lost", f"{len(missing)} acknowledged writes are missing, the first {missing[:5]}, the last {missing[-1]}")


def served(shop, since):
    silent = shop.silent_writers(since)
    if silent:
        raise Fault("service", f"no acknowledged write for the last {time.monotonic() - since:.0f} s: {silent}")


def in_force(shop):
    """Ready is True: then every parameter asked for is what the servers say."""
    wrong = []
    for one in endpoints(shop.link):
        for name, value in one["postgres"]["managed"].get("parameters", {}).items():
            try:
                now = shop.ask(one["name"], f"SHOW {name}")[0][0]
            except RuntimeError as error:
                raise Fault("asked in vain", f"{one['name']}: {error}") from None
            if now != value:
                wrong.append(f"{one['name']}: {name} is {now}, {value} was asked for")
    if wrong:
        raise Fault("parameters", f"Ready is True, and {'; '.join(wrong)}")


def replicas_stream(shop):
    """By PostgreSQL's own word, with the slots that belong there and no others."""
    primary = shop.primary()
    wanted = {name for name in shop.names() if name != primary}

    def look():
        try:
            streaming = {row[0] for row in shop.ask(primary, "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")}
            slots = {row[0] for row in shop.ask(primary, "SELECT slot_name FROM pg_replication_slots WHERE NOT temporary")}
        except RuntimeError as error:
            return str(error)
        if streaming != wanted:
            return f"streaming from {primary}: {sorted(streaming)}, wanted {sorted(wanted)}"
        expected = {"twinspan_" + name.replace("-", "_") for name in wanted}
        return "" if slots == expected else f"slots of {primary}: {sorted(slots)}, wanted {sorted(expected)}"
    said = shop.wait(15, look)
    if said:
        raise Fault("replication", said)


def sync_in_force(shop):
    try:
        names = shop.ask(shop.primary(), "SHOW synchronous_standby_names")[0][0]
    except RuntimeError as error:
        raise Fault("asked in vain", f"{shop.primary()!r}: {error}") from None
    replicas = shop.link["spec"]["postgres"]["durability"]["replicas"]
    if not names.startswith(f"ANY {replicas} ("):
        raise Fault("durability", f"Sync with {replicas} is asked for, synchronous_standby_names is {names!r}")


def owned_by_agents(shop):
    """Whatever somebody said in SQL, on every server."""
    wanted = {"fsync": "on", "full_page_writes": "on", "ssl": "on", "restart_after_crash": "off"}

    def look():
        for name in shop.names():
            try:
                now = {key: shop.ask(name, f"SHOW {key}")[0][0] for key in (*wanted, "listen_addresses", "hba_file")}
            except RuntimeError as error:
                return f"{name}: {error}"
            wrong = {key: value for key, value in now.items() if wanted.get(key, value) != value or value in ("*", "/tmp/none")}
            if wrong:
                return f"{name}: {wrong}"
        return ""
    said = shop.wait(10, look)
    if said:
        raise Fault("settings of the agent", said)


def nothing_leaks(shop):
    """One server for each pod, one pod for each endpoint."""
    def look():
        pods = sorted(pod["metadata"]["name"] for pod in shop.api.list("Pod", f"twinspan.dev/link={NAME}"))
        wanted = sorted(f"{NAME}-{name}-0" for name in shop.names())
        if pods != wanted:
            return f"pods are {pods}, wanted {wanted}"
        count = collections.Counter(one["endpoint"] for one in shop.sight.servers().values())
        return "" if count == collections.Counter(shop.names()) else f"servers are {shop.sight.servers()}, wanted one each of {shop.names()}"
    said = shop.wait(ENDING_SECONDS, look)
    if said:
        raise Fault("leaks", said)


def told(shop):
    """Conditions that are not as wished for say why."""
    for item in (shop.object(), shop.policy_object()):
        ready = condition(item, "Ready")
        if item and ready.get("status") != "True" and not (ready.get("reason") and ready.get("message")):
            raise Fault("conditions", f"Ready of {item['kind']} is {ready}: without a reason or a message")
