"""The wrong manifests of tests/bad_manifests, each with who refuses it and the field that must be named."""
import re
import time

import yaml

from target import ROOT


class BadManifest:
    def __init__(self, path):
        text = path.read_text()
        self.name = path.stem
        self.refused_by = re.search("^# refused-by: (.*)", text, re.M)[1]
        self.field = re.search("^# expect-field: (.*)", text, re.M)[1]
        self.taken = re.findall("^# taken: (.*)", text, re.M)  # pods that the documents before have made
        self.warned_of = "# webhook: warns" in text  # admitted: what is missing may come yet
        # Those before the last are there already: the object's own former version, its neighbours.
        *self.before, self.wrong = yaml.safe_load_all(text)

    @property
    def leaf(self):
        """The last name in the field, as API servers print it."""
        return re.sub(r"\[.*", "", re.sub(r"\[\d+\]", "", self.field).split(".")[-1])


def all_bad():
    return [BadManifest(path) for path in sorted((ROOT / "tests/bad_manifests").glob("*.yaml"))]


def try_at_apply(manifests, apply, clear):
    """What kubectl says of each: how many it refuses, how many it admits with a warning, and what is wrong about it.

    `apply(document)` answers a CompletedProcess, `clear()` removes all links and policies."""
    refused, warned, wrong = 0, 0, []
    for bad in manifests:
        for document in bad.before:
            made = apply(document)
            if made.returncode != 0:
                wrong.append(f"{bad.name}: a document before the last was refused: {made.stderr}")
        if bad.before:
            # Beyond the second the age of two objects is their names', and the webhook sees what its cache has.
            time.sleep(1.1)
        answer = apply(bad.wrong)
        if bad.warned_of:
            warned += 1
            if answer.returncode != 0 or f"Warning: {bad.field}" not in answer.stderr:
                wrong.append(f"{bad.name}: expected to be admitted with a warning of {bad.field}: {answer.stderr}")
        elif answer.returncode == 0:
            wrong.append(f"{bad.name}: accepted")
        else:
            refused += 1
            if bad.leaf not in answer.stderr:
                wrong.append(f"{bad.name}: refused without naming {bad.field}: {answer.stderr}")
        if bad.before or answer.returncode == 0:
            clear()
    return refused, warned, wrong
