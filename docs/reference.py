#!/usr/bin/python3
"""Writes docs/reference/*.md from the sources: fields, flags, labels and annotations, metrics. `--check` says what is not fresh.

Sources are read, not run, so that this needs no build.
"""
import dataclasses
import functools
import json
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "docs/reference"
GENERATED = "<!-- Written by docs/reference.py from the sources: change those, then run it. -->\n"
# What is no part of the product: its double in tests, and drills for builders.
ELSEWHERE = ("tests/", "sandbox/", "bench/", "build/")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def sources(*ends):
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", *(f"*{e}" for e in ends)], capture_output=True, text=True, check=True).stdout.split()
    return [(n, (ROOT / n).read_text()) for n in sorted(names) if not n.startswith(ELSEWHERE) and (ROOT / n).exists()]


def literal(text):
    """Adjacent string literals at the beginning of text, joined; None where there is none."""
    match = re.match(r'\s*("(?:[^"\\]|\\.)*"\s*)+', text)
    return "".join(json.loads(f'"{one}"') for one in STRING.findall(match.group(0))) if match else None


def cell(text):
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|").strip()


@dataclasses.dataclass(frozen=True)
class Metric:
    name: str
    kind: str
    help: str
    source: str


METRIC = r'(?:twinspan|workqueue|rest_client|controller_runtime|leader_election|process)_[a-z0-9_]+'


@functools.cache
def metrics():
    found = {}
    for path, text in sources(".cpp"):
        if not re.search(rf'["#] ?(?:HELP )?{METRIC}', text):
            continue
        # A family is named where its help follows: Family x("n", "h"), gauge("n", "h"), each("n", kCounter, "h", …).
        for match in re.finditer(rf'(\w+)\(\s*"({METRIC})",\s*(?:([\w:]+),\s*)?(?=")', text):
            word, name, kind = match.groups()
            kind = (kind or word).split("::")[-1].removeprefix("k").lower()
            help_text = literal(text[match.end():])
            if kind not in ("gauge", "counter", "histogram"):  # of a function of the source's own: by the name, as Prometheus has them
                kind = "counter" if name.endswith("_total") else "gauge"
            found.setdefault((name, path), Metric(name, kind, help_text, path))
        for name, help_text in re.findall(rf"# HELP ({METRIC}) (.*?)\\n", text):
            kind = re.search(rf"# TYPE {name} (\w+)", text).group(1)
            found.setdefault((name, path), Metric(name, kind, help_text, path))
    return sorted(found.values(), key=lambda m: (m.source, m.name))


def dashboard_expressions(path):
    def panels(node):
        for panel in node.get("panels", []):
            yield panel
            yield from panels(panel)
    board = json.loads(path.read_text())
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for note in board.get("annotations", {}).get("list", []):
        yield note["name"], note["expr"]
    for variable in board.get("templating", {}).get("list", []):
        query = variable.get("query")
        if variable.get("type") == "query":
            yield f"variable {variable['name']}", query["query"] if isinstance(query, dict) else query


def shown_by(metric):
    if metric.source.startswith("kube/"):
        return "The operator: itself"
    if metric.source.startswith("operator/"):
        return "The operator: links and policies"
    return next((f"Workers of {name} links" for part, name in (("s3", "S3"), ("kafka", "Kafka")) if part in metric.source), "Workers of PostgreSQL links")


def metrics_page():
    out = [GENERATED, "# Metrics\n", "What they are good for, and labels: [metrics](../metrics.md).\n"]
    for head in ("The operator: links and policies", "The operator: itself", "Workers of PostgreSQL links", "Workers of S3 links", "Workers of Kafka links"):
        out += [f"\n## {head}\n", "| metric | type | meaning |\n|---|---|---|\n"]
        out += [f"| `{m.name}` | {m.kind} | {cell(m.help)} |\n" for m in sorted(metrics(), key=lambda m: m.name) if shown_by(m) == head]
    return "".join(out)


def bounds(schema):
    said = []
    if "enum" in schema:
        said.append("one of " + ", ".join(f"`{v}`" for v in schema["enum"]))
    for key, words in (("minimum", "at least {}"), ("maximum", "at most {}"), ("minLength", "{} characters at least"), ("maxLength", "{} at most"),
                       ("minItems", "{} items at least"), ("maxItems", "{} items at most")):
        if key in schema:
            said.append(words.format(schema[key]))
    return "; ".join(said)


def kind_of(schema):
    if schema.get("x-kubernetes-int-or-string"):
        return "number or string"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {schema['items'].get('type', 'any')}s"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {schema['additionalProperties'].get('type', 'any')}s"
    return {"integer": "number"}.get(kind, kind)


def fields(schema, path, required, rows):
    default = schema.get("default")
    said = json.dumps(default) if default is not None and default != {} else ""
    rows.append((path, kind_of(schema), "yes" if required else "", said, bounds(schema), schema.get("description", "")))
    inner, at = schema, path
    if schema.get("type") == "array":
        inner, at = schema["items"], path + "[]"
    elif isinstance(schema.get("additionalProperties"), dict):
        inner, at = schema["additionalProperties"], path + ".*"
    for name, one in inner.get("properties", {}).items():
        fields(one, f"{at}.{name}", name in inner.get("required", []), rows)


def crd_page(path):
    crd = yaml.load(path.read_text(), yaml.CSafeLoader)
    names, out = crd["spec"]["names"], [GENERATED]
    out.append(f"# {names['kind']}\n`{names['plural']}.{crd['spec']['group']}`" + (f", in short `{names['shortNames'][0]}`" if names.get("shortNames") else "") + ".\n")
    for version in crd["spec"]["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        out.append(f"Version `{version['name']}`. {cell(schema.get('description', ''))}\n")
        for part in ("spec", "status"):
            rows = []
            for name, one in schema["properties"][part].get("properties", {}).items():
                fields(one, f"{part}.{name}", name in schema["properties"][part].get("required", []), rows)
            out.append(f"\n## {part}\n| field | type | required | default | bounds | meaning |\n|---|---|---|---|---|---|\n")
            out += [f"| `{f}` | {t} | {r} | {'`' + d + '`' if d else ''} | {cell(b)} | {cell(m)} |\n" for f, t, r, d, b, m in rows]
            rules = []
            collect_rules(schema["properties"][part], part, rules)
            if rules:
                out.append(f"\nWhat the API server checks beside types and bounds:\n| at | refused with |\n|---|---|\n")
                out += [f"| `{at}` | {cell(message)} |\n" for at, message in rules]
    return "".join(out)


def collect_rules(schema, path, out):
    for rule in schema.get("x-kubernetes-validations", []):
        out.append((path, rule.get("message") or rule["rule"]))
    for name, one in schema.get("properties", {}).items():
        collect_rules(one, f"{path}.{name}", out)
    if isinstance(schema.get("items"), dict):
        collect_rules(schema["items"], path + "[]", out)


def options_of(text, everything):
    rows = []
    for match in re.finditer(r"\.add_(option|flag)\(\s*", text):
        statement = re.match(r'(?:"(?:[^"\\]|\\.)*"|[^";])*', text[match.end():]).group(0)
        name = literal(statement)
        if name is None or "->group(\"\")" in statement:
            continue
        if re.match(r'\s*"--"\s*\+', statement):  # a name that is put together
            name = "--SIDE" + "".join(re.findall(r'\+\s*"(-\w+)"', statement[:statement.index(",")]))
        member = re.match(r"\s*[^,]+,\s*([\w.]+)", statement).group(1).split(".")[-1]
        parts = re.split(r",\s*(?=\")", re.split(r"\)\s*->", statement)[0])[1:]
        words = [(literal(part) or "") + ("…" if re.match(r'\s*"[^"]*"\s*\+', part) else "") for part in parts]
        envname = re.search(r'envname\("(\w+)"\)', statement)
        among = re.search(r"IsMember\(\{([^}]*)\}", statement)
        between = re.search(r"Range\(([^)]*)\)", statement)
        said = ", ".join(f"`{v}`" for v in STRING.findall(among.group(1)) if v) if among else between.group(1).replace(", ", " to ") if between else ""
        default = ""
        if "capture_default_str" in statement:
            value = re.search(rf"\b{member}\s*=\s*([^,;]+)[,;]", everything)
            default = value.group(1).strip().strip('"') if value else ""
        rows.append((name, envname.group(1) if envname else "", default, "required" if "->required()" in statement else said, words[0] if words and words[0] else ""))
    return rows


PROGRAMS = [
    ("twinspan-operator", "the operator; the chart sets these, `extraArgs` adds more", ["operator/options.cpp"]),
    ("twinspan-worker", "the agent of a PostgreSQL pod; the operator sets these", ["worker/pod_options.cpp", "worker/postgres/options.cpp"]),
    ("twinspan-s3-worker", "the worker of an S3 link; the operator sets these", ["worker/pod_options.cpp", "worker/s3/options.cpp"]),
    ("twinspan-kafka-worker", "the worker of a Kafka link; the operator sets these", ["worker/pod_options.cpp", "worker/kafka/options.cpp"]),
    ("twinspan-s3-sync", "one sync of two buckets, without Kubernetes. SIDE is `source` or `target`", ["engines/s3/sync_main.cpp"]),
    ("twinspan-s3-open", "opens a compressed or encrypted copy", ["engines/s3/stored/main.cpp"]),
]


def moved(path):
    """The file, or where its like is now: rooms are laid out anew now and then."""
    if (ROOT / path).exists():
        return ROOT / path
    name = "/".join(pathlib.PurePath(path).parts[-2:])
    like = [p for p, _ in sources(".cpp") if p.endswith("/" + name)]
    if len(like) != 1:
        raise SystemExit(f"docs/reference.py: {path} is gone; name its options' file in PROGRAMS")
    return ROOT / like[0]


def flags_page():
    out = [GENERATED, "# Flags\nEvery program also has `--help`. A flag goes before the environment variable beside it.\n"]
    for program, words, paths in PROGRAMS:
        files = [moved(p) for p in paths]
        texts = [p.read_text() for p in files]
        headers = [p.with_suffix(".hpp").read_text() for p in files if p.with_suffix(".hpp").exists()]
        rows = [row for text in texts for row in options_of(text, "\n".join(headers + texts))]
        if not rows:
            raise SystemExit(f"docs/reference.py: no flag found for {program}")
        out.append(f"\n## {program}\n{words[0].upper() + words[1:]}.\n\n| flag | variable | default | values | meaning |\n|---|---|---|---|---|\n")
        out += [f"| `{n}` | {'`' + e + '`' if e else ''} | {'`' + d + '`' if d else ''} | {v} | {cell(m)} |\n" for n, e, d, v, m in rows]
    return "".join(out)


def alerts_page():
    out = [GENERATED, "# Alerts\n`prometheusRule.enabled=true` of the chart makes these. Each has a page that says what to do.\n"]
    for path in sorted((ROOT / "charts/twinspan/files/alerts").glob("*.yaml")):
        out.append(f"\n## {path.stem}\n| alert | severity | says | after |\n|---|---|---|---|\n")
        for rule in yaml.load(path.read_text(), yaml.CSafeLoader):
            says = re.sub(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}", lambda m: m.group(1).upper(), rule["annotations"]["summary"])
            out.append(f"| [{rule['alert']}](../runbooks/{rule['alert']}.md) | {rule['labels']['severity']} | {cell(says)} | {rule.get('for', 'at once')} |\n")
    return "".join(out)


def rbac_page():
    out = [GENERATED, "# RBAC\nWhat the manifests grant (`dist/twinspan.yaml`). With `watchNamespaces` the ClusterRole `twinspan` is a Role in each of them, and those of the "
           "webhook are there only with `webhook.enabled`.\n"]
    for role in yaml.load_all((ROOT / "dist/twinspan.yaml").read_text(), yaml.CSafeLoader):
        if role["kind"] not in ("ClusterRole", "Role"):
            continue
        out.append(f"\n## {role['kind']} {role['metadata']['name']}\n")
        gathered = [k.rsplit("-", 1)[1] for k in role["metadata"].get("labels", {}) if "aggregate-to" in k]
        if gathered:
            out.append(f"Added to the cluster's own {', '.join(f'`{one}`' for one in gathered)}.\n\n")
        out.append("| API group | resources | verbs |\n|---|---|---|\n")
        for rule in role["rules"]:
            groups = ", ".join(f"`{g}`" if g else "core" for g in rule["apiGroups"])
            named = " named " + ", ".join(f"`{n}`" for n in rule["resourceNames"]) if "resourceNames" in rule else ""
            out.append(f"| {groups} | {', '.join(rule['resources'])}{named} | {', '.join(rule['verbs'])} |\n")
    return "".join(out)


def labels_page():
    words = yaml.load((ROOT / "docs/reference.yaml").read_text(), yaml.CSafeLoader)["keys"]
    seen = {}
    for path, text in sources(".cpp", ".hpp"):
        for key in re.findall(r'"(twinspan\.dev/[a-z0-9-]+)"', text):
            seen.setdefault(key, path)
    said = {row["key"]: row for row in words}
    missing, gone = sorted(set(seen) - set(said)), sorted(set(said) - set(seen))
    if missing or gone:
        raise SystemExit(f"docs/reference.yaml: keys that the sources have and it lacks: {missing}; that it has and they lack: {gone}")
    out = [GENERATED, "# Labels and annotations\nWhat people set is the first table; the others are Twinspan's own, to look at and to select by.\n"]
    for who, head in (("people", "Set by people"), ("label", "Labels on what Twinspan makes"), ("twinspan", "Annotations that Twinspan keeps"), ("lease", "Annotations of leases, written by workers")):
        out.append(f"\n## {head}\n| key | on | meaning |\n|---|---|---|\n")
        out += [f"| `{r['key']}` | {cell(r['where'])} | {cell(r['means'])} |\n" for r in words if r["who"] == who]
    return "".join(out)


# Rooms that write statuses and Events.
SPEAKING = ("controllers/", "failover/", "worker")


def words_page():
    told = yaml.load((ROOT / "docs/reference.yaml").read_text(), yaml.CSafeLoader)
    said = {}
    for path, text in sources(".cpp", ".hpp"):
        if path.startswith(SPEAKING):
            for word in re.findall(r'"([A-Z][a-z]+(?:[A-Z][a-z]+)*)"', re.sub(r"^\s*//.*$", "", text, flags=re.M)):
                said.setdefault(word, path)
    known = {word for group in told["words"].values() for word in group} | set(told["names"])
    missing = {word: path for word, path in said.items() if word not in known}
    gone = sorted(known - set(said))
    if missing or gone:
        raise SystemExit(f"docs/reference.yaml: give each of these a meaning, or list it under names: {missing}; these are in no source any more: {gone}")
    out = [GENERATED, "# Words of statuses and Events\nMessages beside them say more: what is so, why, and what to do next.\n"]
    for head, group in told["words"].items():
        out.append(f"\n## {head}\n| word | meaning |\n|---|---|\n")
        out += [f"| `{word}` | {cell(means)} |\n" for word, means in sorted(group.items())]
    return "".join(out)


def pages():
    out = {"README.md": GENERATED + "# Reference\nWritten from the sources, and checked by `make test`.\n\n| page | has |\n|---|---|\n"}
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        kind = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]["names"]["kind"]
        out[f"{path.stem}.md"] = crd_page(path)
        out["README.md"] += f"| [{kind}]({path.stem}.md) | every field |\n"
    for name, make, has in EXTRA:
        out[name] = make()
        out["README.md"] += f"| [{name[:-3]}]({name}) | {has} |\n"
    return out


EXTRA = [("alerts.md", alerts_page, "every alert"), ("flags.md", flags_page, "every flag and environment variable of every program"), ("labels.md", labels_page, "every label and annotation"),
         ("metrics.md", metrics_page, "every metric, its type and its help text"),
         ("rbac.md", rbac_page, "what the operator and people may do"), ("words.md", words_page, "every condition, reason, state, step, cause and Event")]


def main():
    wanted = pages()
    if "--check" not in sys.argv:
        OUT.mkdir(exist_ok=True)
        for name, text in wanted.items():
            (OUT / name).write_text(text)
        return 0
    there = {p.name: p.read_text() for p in OUT.glob("*.md")}
    stale = sorted(n for n in wanted.keys() | there.keys() if wanted.get(n) != there.get(n))
    for name in stale:
        print(f"FAILED: docs/reference/{name} is not what the sources say: run docs/reference.py")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
