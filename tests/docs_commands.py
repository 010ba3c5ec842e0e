#!/usr/bin/python3
"""What pages tell to type can be typed: blocks are Bash, YAML is YAML, patches are JSON, the chart has the values that are named.

The commands for `kubectl exec` find every program they call in the worker's image. It holds no distribution: what is not copied into it by the
Dockerfile, and is not built into its shell, is not there.
"""
import json
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Built into dash.
BUILTIN = set("cd echo exit export kill printf pwd read set sh test trap true false wait".split())


def programs_of_image():
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    worker = text[text.index(" AS postgres-root"):]
    lists = re.findall(r"for name in ([a-z_0-9 ]+); do", worker)
    return {name for one in lists for name in one.split()} | {"sh"}


def commands():
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for block in re.findall(r"^```[a-z]*\n(.*?)^```", path.read_text(), re.S | re.M):
            for line in block.splitlines():
                if re.search(r"\bexec\b.* -- ", line):
                    yield path.name, line, line.split(" -- ", 1)[1]


def called(command):
    """Words in the place of a program. $( … ) outside of quotes for the image's shell is the reader's own shell's."""
    script = re.fullmatch(r"sh -c '(.*)'", command.strip())
    if not script:
        return {command.split()[0]}
    return {"sh"} | set(re.findall(r"(?:^|[;|&(]|\$\()\s*([A-Za-z_][\w.-]*)", script.group(1))) - BUILTIN


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def has(values, path):
    """Whether the chart has the value; below an empty map anything goes."""
    node = values
    for part in path.split("."):
        if not isinstance(node, dict) or (part not in node and node):
            return False
        node = node.get(part, {})
    return True


def unreadable():
    values = yaml.safe_load((ROOT / "charts/twinspan/values.yaml").read_text())
    for path in pages():
        text, name = path.read_text(), path.relative_to(ROOT)
        for language, block in re.findall(r"^```([a-z]*)\n(.*?)^```", text, re.S | re.M):
            if language == "yaml":
                try:
                    list(yaml.safe_load_all(block))
                except yaml.YAMLError as error:
                    yield f"{name}: {error}"
            if language or not re.match(r"(kubectl|helm|sed|make|psql|gitops/|docker) ", block):
                continue
            bash = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
            if bash.returncode:
                yield f"{name}: {bash.stderr.strip()} in\n{block}"
            for patch in re.findall(r" -p '(.*?)'", block):
                json.loads(patch)
        for value in re.findall(r"--set[a-z-]* '?([A-Za-z][\w.]*)", text) + re.findall(r"`([A-Za-z]\w*(?:\.\w+)+)(?:[:=][^`]*)?`", text):
            top = value.split(".")[0]
            if top in values and top not in ("log", "test") and "k8s.io" not in value and isinstance(values[top], dict) and not has(values, value):
                yield f"{name}: the chart has no value {value}"


def main():
    wrong = list(unreadable())
    for line in wrong:
        print(f"FAILED: {line}")
    if wrong:
        return 1
    there, failed, seen = programs_of_image(), 0, 0
    for path, line, command in commands():
        seen += 1
        for program in sorted(called(command)):
            if program not in there:
                print(f"FAILED: {path}: {line}\n  the worker's image has no {program}")
                failed = 1
    if not seen:
        print("FAILED: docs/ give no command for kubectl exec: this test would prove nothing")
        failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
