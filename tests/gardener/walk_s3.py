"""One walk around an S3 link: bursts of actions while a client writes, and after each of them quiet and the checks."""
import json
import time
import traceback

import script
from action import Skipped
from api import ApiError
from beside import S3, Beside
from depot import NS, Client, Depot, wrong_keys
from errors import Fault
from world import World

START_SECONDS, QUIET_SECONDS, COPIED_SECONDS, CALM_SECONDS = 60, 90, 60, 1.5


class WalkS3:
    def __init__(self, seed, minutes, folder, only=None, kinds=script.ALL_S3, say=print):
        self.seed, self.seconds, self.folder, self.only, self.kinds = seed, 60 * minutes, folder, only, kinds
        self._say, self._began, self.done = say, time.monotonic(), []

    def say(self, text):
        line = f"[s3 {self.seed} {time.monotonic() - self._began:6.1f} s] {text}"
        self.done.append(line)
        self._say(line)

    def run(self):
        """The fault that ended it; None."""
        return self.guarded(self._bursts)

    def guarded(self, body):
        """Runs `body` with a fresh link under load, and ends everything."""
        self.world, self.depot, fault = World(self.folder, NS), None, None
        try:
            self._start()
            body()
        except Fault as found:
            fault = found
        except Exception as error:  # the walk's own fault counts as one
            fault = Fault("the gardener itself", "".join(traceback.format_exception(error)))
        try:
            if fault:
                self._report(fault)
        finally:
            if self.depot and self.depot.client:
                self.depot.client.stop()
            self.world.stop()
            (self.folder / "walk.txt").write_text("\n".join(self.done) + "\n")
        return fault

    def _start(self):
        self.beside = Beside(self.world.api, S3)
        self.depot = Depot(self.world)
        self.depot.apply()
        said = self.depot.wait(START_SECONDS, self.depot.unsettled)
        if said:
            raise Fault("start", said)
        self.beside.remember()
        self.depot.client = Client(self.depot)
        self.say("a fresh link is Ready")

    def _bursts(self):
        number, last = 0, max(int(one.split(".")[0]) for one in self.only) if self.only else None
        while time.monotonic() - self._began < self.seconds if last is None else number < last:
            number += 1
            steps = [step for step in script.burst(self.seed, number, script.ALL_S3)
                     if step.action.name in self.kinds and (not self.only or step.number in self.only)]
            if steps:
                self._burst(steps)

    def _burst(self, steps):
        began, done = time.monotonic(), []
        for step in steps:
            time.sleep(step.pause)
            try:
                what = step.action.run(self.depot)
                self.say(f"{step}{': ' + what if what else ''}")
            except (Skipped, ApiError, OSError) as error:
                self.say(f"{step}: not done: {type(error).__name__}: {error}")
            done.append(step.action)
        time.sleep(2)  # clients go on while it is as it is
        for one in reversed([one for one in done if one.lasts]):
            one.leave(self.depot)
        self.depot.good_again()
        said = self.depot.wait(30, self._apply)
        if said:
            raise Fault("apply", said)
        self.quiet(began)

    def _apply(self):
        try:
            self.depot.apply()
        except (ApiError, OSError) as error:
            return f"the API refuses what it took before: {error}"
        return ""

    def quiet(self, began):
        calm_since = None

        def look():
            nonlocal calm_since
            said, now = self.depot.unsettled(), time.monotonic()
            if said == self.depot.ABSENT:
                said = self._apply() or said
            calm_since = None if said else calm_since or now
            return said or ("" if now - calm_since >= CALM_SECONDS else "calm for a moment only")
        said = self.depot.wait(QUIET_SECONDS, look)
        if said:
            raise Fault("settled", f"not within {QUIET_SECONDS} s: {said}")
        quiet = time.monotonic()
        self.nothing_lost()
        touched = self.beside.touched()
        if touched:
            raise Fault("foreign objects", touched)
        if self.world.crashed():
            raise Fault("crash", self.world.crashed())
        self.say(f"quiet after {quiet - began:.1f} s, {self.depot.where()} is primary, {self.depot.client.count} writes")

    def nothing_lost(self):
        """What clients wrote to the primary is there, and stays while the copy becomes the same."""
        self.depot.wait(20, lambda: "stale" if time.monotonic() < self.depot.client.stale_until else "")
        self.depot.client.pause()
        try:
            side, told = self.depot.where(), self.depot.client.told
            other = next(one for one in self.depot.servers if one != side)

            def same():
                wrong = wrong_keys(told, self.depot.content(side), side, self.depot.unclean, self.depot.client.sent.moves)
                if wrong:
                    return wrong
                ours, theirs = self.depot.content(side), self.depot.content(other)
                different = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
                return f"the copy differs from the primary {side}: {[(key, ours.get(key), theirs.get(key)) for key in different[:5]]}" if different else ""
            said = self.depot.wait(COPIED_SECONDS, same, 0.5)
            if said:
                raise Fault("nothing lost" if "was written to" in said else "copies", said)
        finally:
            self.depot.client.go_on()

    def _report(self, fault):
        self.say(f"FAULT {fault}")
        found = {}
        for kind in ("ReplicationLink", "FailoverPolicy", "Lease", "Pod", "ConfigMap", "Event"):
            try:
                found[kind] = self.world.api.list(kind)
            except (ApiError, OSError) as error:
                found[kind] = str(error)
        (self.folder / "objects.json").write_text(json.dumps(found, indent=1))
        for kind in ("ReplicationLink", "FailoverPolicy"):
            for item in found[kind] if isinstance(found[kind], list) else ():
                for one in item.get("status", {}).get("conditions", []):
                    self.say(f"  {kind} {one['type']}={one['status']} {one['reason']}: {one['message']}")
                self.say(f"  {kind} {item.get('status', {}).get('assignment', '')} {item.get('status', {}).get('current', '')}")
        if self.depot and self.depot.client:
            (self.folder / "told.json").write_text(json.dumps(self.depot.client.told))
