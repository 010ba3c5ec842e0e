#!/usr/bin/python3
"""What a build of the Dockerfile sees of this repository, read as Docker reads it: the Dockerfile through .dockerignore.

docker_context.py check       every target, from source and from prebuilt binaries: each COPY finds what it names, whole,
                              and nothing else is sent
docker_context.py copy DIR    what the build stage copies, into DIR
"""
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGETS = ("operator", "worker")
WAYS = ("build", "prebuilt")  # of the argument BINARIES


class Ignored:
    """The patterns of .dockerignore: the last that matches a path, or a folder above it, decides."""

    def __init__(self, text):
        self._rules = []
        for line in text.splitlines():
            line = line.strip()
            if line and not line.startswith("#"):
                keeps = line.startswith("!")
                self._rules.append((self._expression(line.lstrip("!").strip().strip("/")), keeps))

    @staticmethod
    def _expression(pattern):
        parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        return re.compile("".join(parts.get(piece) or re.escape(piece) for piece in re.findall(r"\*\*/|\*\*|.", pattern)))

    def sees(self, path):
        lines = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 2)]
        seen = True
        for expression, keeps in self._rules:
            if any(expression.fullmatch(line) for line in lines):
                seen = keeps
        return seen


class Stage:
    def __init__(self, name, base):
        self.name, self.base = name, base
        self.copies, self.taken, self.runs = [], [], []  # paths of the context; (stage, path); shell text


def stages(text):
    """By name, in order."""
    found = {}
    stage = None
    for line in re.sub(r"\\\n", " ", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = found[name.strip()] = Stage(name.strip(), base.strip())
        elif word == "COPY":
            *sources, _ = [one for one in shlex.split(rest) if not one.startswith("--")]
            came_from = re.search(r"--from=(\S+)", rest)
            if came_from:
                stage.taken += [(came_from[1], source) for source in sources]
            else:
                stage.copies += sources
        elif word == "RUN":
            stage.runs.append(rest)
    return found


def reached(all_stages, target, way):
    """The stages that a build of the target runs."""
    names, waiting = [], [target]
    while waiting:
        name = waiting.pop().replace("${BINARIES}", way)
        if name in all_stages and name not in names:
            names.append(name)
            waiting += [all_stages[name].base, *(stage for stage, _ in all_stages[name].taken)]
    return [all_stages[name] for name in names]


def below(path, source):
    source = source.rstrip("/")
    return source == "." or path == source or path.startswith(source + "/")


def tracked():
    """The files of a checkout with this work tree's content."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\n")[:-1] if (ROOT / path).exists()]


def faults(dockerfile, ignore, files):
    """What would stop a build or be sent for nothing, in words. `files`: what a checkout holds; binaries are there once they are built."""
    wrong, all_stages, ignored = [], stages(dockerfile), Ignored(ignore)
    copied = set()
    for target in TARGETS:
        for way in WAYS:
            run = reached(all_stages, target, way)
            if way not in [stage.name for stage in run]:
                wrong.append(f"target {target}: BINARIES={way} is not used: is there a stage `{way}`?")
            for source in (source for stage in run for source in stage.copies):
                copied.add(source)
                meant = [path for path in files if below(path, source)] or ([source] if source.startswith("build/") else [])
                if not meant:
                    wrong.append(f"target {target}, BINARIES={way}: COPY {source}: there is no such path")
                hidden = [path for path in meant if not ignored.sees(path)]
                if hidden:
                    wrong.append(f"target {target}, BINARIES={way}: COPY {source}: .dockerignore hides {len(hidden)} of {len(meant)} files, {hidden[0]} first")
            for stage, path in (taken for one in run for taken in one.taken):
                if stage == "binaries" and not made(all_stages[way], path):
                    wrong.append(f"target {target}, BINARIES={way}: nothing makes {path}")
    for path in files:
        if ignored.sees(path) and not any(below(path, source) for source in copied):
            wrong.append(f"{path} is sent although nothing copies it: let .dockerignore hide it")
    return list(dict.fromkeys(wrong))


def made(stage, path):
    program = "build/release/bin/" + path.rsplit("/", 1)[1]
    return program in stage.copies or any(program in shlex.split(run) for run in stage.runs)


def copy(folder):
    ignored = Ignored((ROOT / ".dockerignore").read_text())
    sources = stages((ROOT / "Dockerfile").read_text())["build"].copies
    for path in tracked():
        if ignored.sees(path) and any(below(path, source) for source in sources):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)


def check():
    dockerfile, ignore, files = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text(), tracked()
    wrong = faults(dockerfile, ignore, files)
    for fault in wrong:
        print(f"FAILED: {fault}")
    # Whatever line of the ignore file is left out, somebody must notice.
    for line in [line for line in ignore.splitlines() if line.startswith("!")] if not wrong else []:
        if not faults(dockerfile, ignore.replace(line + "\n", ""), files):
            wrong.append(line)
            print(f"FAILED: .dockerignore: `{line}` lets nothing in that a build needs")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    if len(sys.argv) == 3 and sys.argv[1] == "copy":
        copy(pathlib.Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
