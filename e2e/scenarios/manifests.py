"""The wrong manifests of tests/bad_manifests, each with who refuses it and the field that must be named."""
import re

import yaml

from target import ROOT


class BadManifest:
    def __init__(self, path):
        text = path.read_text()
        self.name = path.stem
        self.refused_by = re.search("^# refused-by: (.*)", text, re.M)[1]
        self.field = re.search("^# expect-field: (.*)", text, re.M)[1]
        # Those before the last are there already: the object's own former version, its neighbours.
        *self.before, self.wrong = yaml.safe_load_all(text)

    @property
    def leaf(self):
        """The last name in the field, as API servers print it."""
        return re.sub(r"\[.*", "", re.sub(r"\[\d+\]", "", self.field).split(".")[-1])


def all_bad():
    return [BadManifest(path) for path in sorted((ROOT / "tests/bad_manifests").glob("*.yaml"))]
