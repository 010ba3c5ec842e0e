"""From a seed to bursts of actions. Nothing but the seed decides; a burst does not depend on those before it."""
import random

import actions_control
import actions_pods
import actions_s3
import actions_spec

ALL = {kind.__name__: kind for kind in (*actions_pods.ALL, *actions_spec.ALL, *actions_control.ALL)}
ALL_S3 = {kind.__name__: kind for kind in actions_s3.ALL}


class Step:
    """`number` names it within the walk, as 3.2: the second of burst 3. The pause comes before it."""

    def __init__(self, number, pause, action):
        self.number, self.pause, self.action = number, pause, action

    def __str__(self):
        return f"{self.number} after {self.pause:.1f} s {self.action.words()}"


def burst(seed, number, kinds=ALL):
    """The steps of burst `number` of the walk."""
    chance, kinds = random.Random(f"{seed}/{number}"), list(kinds.values())
    steps, groups = [], set()
    for place in range(chance.choice((1, 1, 2, 2, 3, 4))):
        kind = chance.choices(kinds, [one.weight for one in kinds])[0]
        pause, action = chance.choice((0.0, 0.1, 0.5, 1.0, 2.0, 4.0)), kind(chance)
        if action.group and action.group in groups:
            continue
        groups.add(action.group)
        steps.append(Step(f"{number}.{place + 1}", pause, action))
    return steps
