"""One walk: bursts of actions under load, and after each of them quiet and the checks."""
import json
import time
import traceback

import checks
import script
from action import Skipped
from api import ApiError
from beside import POSTGRES, Beside
from errors import Fault
from shop import NS, Shop
from sight import Sight
from truth import Truth
from world import World

# Checks of what a status says, and how late it may be.
LATE, LATE_SECONDS = ("one primary", "asked in vain", "replication", "settings of the agent", "leaks"), 5
START_SECONDS, WHILE_SECONDS, QUIET_SECONDS, CALM_SECONDS = 90, 45, 60, 1.5


class Walk:
    """`only`: numbers of steps, all by default; `kinds`: names of actions that may be."""

    def __init__(self, seed, minutes, folder, only=None, kinds=script.ALL, say=print):
        self.seed, self.seconds, self.folder, self.only, self.kinds = seed, 60 * minutes, folder, only, kinds
        self._say, self._began, self.done = say, time.monotonic(), []

    def say(self, text):
        line = f"[{self.seed} {time.monotonic() - self._began:6.1f} s] {text}"
        self.done.append(line)
        self._say(line)

    def run(self):
        """The fault that ended it; None."""
        return self.guarded(self._bursts)

    def guarded(self, body):
        """Runs `body` with a fresh link under load, and ends everything."""
        self.world = World(self.folder, NS)
        self.eyes_log = open(self.folder / "eyes.log", "ab")
        self.sight, self.shop, self.truth = Sight(str(self.world.state), self.eyes_log), None, None
        fault = None
        try:
            self._start()
            body()
            self._ended_well()
        except Fault as found:
            fault = found
        except Exception as error:  # the walk's own fault counts as one
            fault = Fault("the gardener itself", "".join(traceback.format_exception(error)))
        try:
            if fault:
                self._report(fault)
        finally:
            if self.truth:
                self.truth.stop()
            if self.shop:
                self.shop.stop_writers()
            self.sight.stop()
            self.world.stop()
            (self.folder / "walk.txt").write_text("\n".join(self.done) + "\n")
        return fault

    def _start(self):
        self.beside = Beside(self.world.api, POSTGRES)
        self.shop = Shop(self.world, self.sight)
        self.shop.apply()
        said = self.shop.wait(START_SECONDS, self.shop.unsettled)
        if said:
            raise Fault("start", said)
        self.beside.remember()
        connected = self.shop.wait(15, self._writers_start)
        if connected:
            raise Fault("start", connected)
        self.truth = Truth(self.shop)
        self.say("a fresh link is Ready")

    def _writers_start(self):
        try:
            self.shop.start_writers()
        except Exception as error:
            return f"clients can't begin: {error}"
        return ""

    def _bursts(self):
        number, last = 0, max((int(one.split(".")[0]) for one in self.only), default=0) if self.only else None
        while time.monotonic() - self._began < self.seconds if last is None else number < last:
            number += 1
            steps = [step for step in script.burst(self.seed, number) if step.action.name in self.kinds and (not self.only or step.number in self.only)]
            if steps:
                self._burst(steps)

    def _burst(self, steps):
        began, done, carried_out = time.monotonic(), [], []
        for step in steps:
            time.sleep(step.pause)
            try:
                what = step.action.run(self.shop)
                done.append(step.action)
                carried_out.append(step.action)
                self.say(f"{step}{': ' + what if what else ''}")
            except (Skipped, ApiError, OSError, RuntimeError) as error:
                done.append(step.action)
                self.say(f"{step}: not done: {type(error).__name__}: {error}")
            checks.one_history(self.shop)
        lasting = [one for one in done if one.lasts]
        # Whoever can't be asked may have the newest data: then nobody is primary until that endpoint is taken back.
        history_open = any(one.forgets for one in done) and any(one.unheard for one in done)
        if lasting and all(one.serves for one in done) and not history_open:
            self._while([one for one in lasting if one in carried_out], began)
        for one in reversed(lasting):
            one.leave(self.shop)
        self._again()
        self.quiet(done, began)

    def _while(self, lasting, began):
        """Clients are served and the status says what it has to, while something is wrong."""
        since = time.monotonic()
        said = self.shop.wait(WHILE_SECONDS, lambda: "; ".join([*self.shop.silent_writers(since), *filter(None, (self._look(one) for one in lasting))]))
        if said:
            raise Fault(f"while {', '.join(one.words() for one in lasting)}", said)
        self.always()

    def _look(self, action):
        try:
            return action.look(self.shop)
        except (ApiError, OSError) as error:
            return str(error)

    def _again(self):
        """Everything as it should be, in Git and there."""
        self.shop.good_again()
        said = self.shop.wait(30, self._apply)
        if said:
            raise Fault("apply", said)

    def _apply(self):
        try:
            self.shop.apply()
        except (ApiError, OSError) as error:
            return f"the API refuses what it took before: {error}"
        return ""

    def quiet(self, done, began):
        """Settled, and then everything that must hold. A status may be a few seconds late, so what it said is believed only as long as it says so."""
        since, asked, person = time.monotonic(), done, 0
        while True:
            said = self.shop.wait(since + QUIET_SECONDS - time.monotonic(), self._calm(since))
            if said and self._decide(asked):
                since, asked, person = time.monotonic(), [], QUIET_SECONDS  # once
                continue
            if said:
                raise Fault("settled", f"not within {QUIET_SECONDS} s: {said}")
            quiet = time.monotonic()
            self.always()
            try:
                self._checks()
                break
            except Fault as fault:
                if fault.check not in LATE or self.shop.wait(LATE_SECONDS, lambda: "" if self.shop.unsettled() else "it goes on saying so"):
                    raise
                self.say(f"the status was late: {fault}")
        self.shop.remember()
        self.shop.safe_again()
        away = max(one.longest_pause(began, quiet) for one in self.shop.writers)
        allowed = 3.0 + person + sum(one.outage for one in done)
        self.say(f"quiet after {quiet - began:.1f} s, {self.shop.primary()} is primary, clients waited {away:.1f} s of {allowed:.0f} s, "
                 f"{sum(len(one.acknowledged) for one in self.shop.writers)} writes")
        if away > allowed:
            raise Fault("service", f"clients waited {away:.1f} s, {allowed:.0f} s are allowed for {', '.join(one.words() for one in done)}")

    def _decide(self, done):
        """What a person does who is told that it waits for them; whether there was something to do. Only where an action may end so."""
        commands = self.shop.commands()
        for command in commands:
            self.say(f"a condition says: {command}")
        if not commands or not any(one.may_wait_for_person for one in done):
            return False
        self.say(f"as a person: {self.shop.decide(commands[0])}")
        return True

    def _calm(self, since):
        """Looks whether it is settled, clients are served, and has been so for a moment."""
        calm_since = None

        def look():
            nonlocal calm_since
            said, now = self._healed() or "; ".join(self.shop.silent_writers(since)), time.monotonic()
            calm_since = None if said else calm_since or now
            return said or ("" if now - calm_since >= CALM_SECONDS else "calm for a moment only")
        return look

    def _checks(self):
        checks.one_primary(self.shop)
        checks.nothing_lost(self.shop)
        checks.in_force(self.shop)
        checks.replicas_stream(self.shop)
        checks.sync_in_force(self.shop)
        checks.owned_by_agents(self.shop)
        checks.nothing_leaks(self.shop)
        checks.told(self.shop)

    def _healed(self):
        """As unsettled(); what was applied while its predecessor was still going is applied again, as GitOps does."""
        said = self.shop.unsettled()
        return self._apply() or said if said == self.shop.ABSENT else said

    def always(self):
        checks.one_history(self.shop)
        checks.foreign(self.shop, self.beside)
        if self.truth.lie:
            raise Fault("truth", self.truth.lie)
        crashed = self.world.crashed()
        if crashed:
            raise Fault("crash", crashed)

    def _ended_well(self):
        self.always()
        for one in self.shop.writers:
            if len(one.acknowledged) < 20:
                raise Fault("load", f"{one.client} wrote {len(one.acknowledged)} times only: nothing is proven; {one.last_error}")

    def _report(self, fault):
        """Everything that helps, into the walk's folder, and the essence to the screen."""
        self.say(f"FAULT {fault}")
        found = {}
        for kind in ("ReplicationLink", "FailoverPolicy", "Lease", "Pod", "Service", "PersistentVolumeClaim", "Secret", "Event"):
            try:
                found[kind] = self.world.api.list(kind)
            except (ApiError, OSError) as error:
                found[kind] = str(error)
        for secret in found["Secret"] if isinstance(found["Secret"], list) else ():
            secret.pop("data", None)
        (self.folder / "objects.json").write_text(json.dumps(found, indent=1))
        for kind in ("ReplicationLink", "FailoverPolicy"):
            for item in found[kind] if isinstance(found[kind], list) else ():
                for one in item.get("status", {}).get("conditions", []):
                    self.say(f"  {kind} {one['type']}={one['status']} {one['reason']}: {one['message']}")
                for row in item.get("status", {}).get("endpoints", []):
                    self.say(f"  endpoint {row['name']} {row.get('role')} {row.get('state')} {row.get('message', '')}")
        for lease in found["Lease"] if isinstance(found["Lease"], list) else ():
            self.say(f"  Lease {lease['metadata']['name']} {lease['spec'].get('holderIdentity')!r} {lease['spec'].get('leaseTransitions')} {lease['metadata'].get('annotations', {})}")
        self.say(f"  servers {list(self.sight.servers().values())}")
        (self.folder / "tenures.txt").write_text("\n".join(map(str, self.sight.tenures())))
