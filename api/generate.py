#!/usr/bin/env python3
"""Writes api/types.hpp, api/placement_types.hpp and api/types.cpp from the schemas in crds/.

usage: generate.py OUTPUT_DIR CRD...

Every object of a schema becomes one struct, every enum one enum class; SHAPES and ENUMS below name them, and an object
that is named in neither is an error, so that no name is ever made up. Objects of the same shape share one struct: the
first path listed is the fullest, the others may lack some of its fields. What the schema demands (types, required fields,
bounds, lengths, patterns, unique names) is checked by the generated parsers, so that they refuse what the API server refuses.
"""
import json
import pathlib
import re
import sys

import yaml

SHAPES = {
    "ReplicationLink.spec": "LinkSpec",
    "ReplicationLink.spec.lagThreshold": "LagThreshold",
    "ReplicationLink.spec.targets[]": "Endpoint",
    "ReplicationLink.spec.source": "Endpoint",
    "*.postgres": "PostgresEndpoint",
    "*.postgres.managed": "ManagedPostgres",
    "*.postgres.managed.storage": "PostgresStorage",
    "*.postgres.managed.podTemplate": "PodTemplate",
    "*.podTemplate.env[]": "EnvVariable",
    "*.affinity": "Affinity",
    "*.affinity.nodeAffinity": "NodeAffinity",
    "*.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution": "NodeSelector",
    "*.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[]": "PreferredNodes",
    "*.nodeSelectorTerms[]": "NodeSelectorTerm",
    "*.preference": "NodeSelectorTerm",
    "*.nodeSelectorTerms[].matchExpressions[]": "NodeRequirement",
    "*.preference.matchExpressions[]": "NodeRequirement",
    "*.matchFields[]": "NodeRequirement",
    "*.affinity.podAffinity": "PodAffinity",
    "*.affinity.podAntiAffinity": "PodAffinity",
    "*.requiredDuringSchedulingIgnoredDuringExecution[]": "PodAffinityTerm",
    "*.podAffinityTerm": "PodAffinityTerm",
    "*.preferredDuringSchedulingIgnoredDuringExecution[]": "PreferredPods",
    "*.labelSelector": "LabelSelector",
    "*.namespaceSelector": "LabelSelector",
    "*Selector.matchExpressions[]": "LabelRequirement",
    "*.tolerations[]": "Toleration",
    "*.topologySpreadConstraints[]": "TopologySpread",
    "*.postgres.external": "ExternalPostgres",
    "*.postgres.external.tls": "ExternalTls",
    "ReplicationLink.spec.postgres": "PostgresSettings",
    "ReplicationLink.spec.postgres.durability": "Durability",
    "ReplicationLink.spec.postgres.serviceAccount": "ServiceAccountSettings",
    "ReplicationLink.spec.postgres.metrics": "PostgresMetrics",
    "ReplicationLink.spec.postgres.metrics.queries[]": "CustomQuery",
    "ReplicationLink.spec.postgres.metrics.queries[].values[]": "CustomQueryValue",
    "ReplicationLink.spec.postgres.updates": "UpdateSettings",
    "ReplicationLink.spec.postgres.updates.window": "UpdateWindow",
    "ReplicationLink.spec.postgres.bootstrap": "Bootstrap",
    "ReplicationLink.spec.postgres.bootstrap.import": "ImportSettings",
    "ReplicationLink.status.import": "ImportStatus",
    "ReplicationLink.status.update": "UpdateStatus",
    "ReplicationLink.spec.postgres.initdb": "InitdbSettings",
    "ReplicationLink.spec.postgres.roles[]": "DeclaredRole",
    "ReplicationLink.spec.postgres.databases[]": "DeclaredDatabase",
    "ReplicationLink.spec.postgres.databases[].extensions[]": "DeclaredExtension",
    "Restore.spec.from.repository.s3": "S3Destination",
    "*.kafka": "KafkaEndpoint",
    "*.kafka.tls": "KafkaTls",
    "*.kafka.sasl": "KafkaSasl",
    "ReplicationLink.spec.kafka": "KafkaSettings",
    "ReplicationLink.spec.kafka.topics": "KafkaTopics",
    "ReplicationLink.spec.kafka.groups": "KafkaGroups",
    "ReplicationLink.spec.kafka.filter": "KafkaFilter",
    "ReplicationLink.spec.kafka.transform": "KafkaTransform",
    "ReplicationLink.spec.kafka.throttle": "KafkaThrottle",
    "ReplicationLink.spec.kafka.limits": "KafkaLimits",
    "ReplicationLink.status.kafka": "KafkaStatus",
    "ReplicationLink.status.kafka.groups": "KafkaGroupsStatus",
    "ReplicationLink.status.kafka.groups.troubled[]": "TroubledGroup",
    "ReplicationLink.status.kafka.troubled[]": "TroubledPartition",
    "*.s3": "S3Endpoint",
    "ReplicationLink.spec.s3": "S3Settings",
    "*.s3.objectsAtOnce": "ObjectsAtOnce",
    "*.s3.priorities[]": "KeyPriority",
    "*.s3.deletes": "Deletes",
    "*.s3.bandwidth": "Bandwidth",
    "*.s3.retries": "Retries",
    "*.s3.verification": "VerificationSettings",
    "*.s3.clientEncryption": "ClientEncryption",
    "ReplicationLink.status": "LinkStatus",
    "ReplicationLink.status.assignment": "AssignmentStatus",
    "ReplicationLink.status.endpoints[]": "EndpointStatus",
    "ReplicationLink.status.division": "DivisionStatus",
    "ReplicationLink.status.rehearsal": "RehearsalStatus",
    "ReplicationLink.status.backup": "BackupAssignment",
    "ReplicationLink.status.backup.run": "BackupRun",
    "ReplicationLink.status.restore": "RestoreAssignment",
    "ReplicationLink.status.restore.inPlace": "InPlaceAssignment",
    "*.destination": "BackupDestination",
    "*.destination.s3": "S3Destination",
    "*.encryption": "BackupEncryption",
    "BackupSchedule.spec": "BackupScheduleSpec",
    "BackupSchedule.status": "BackupScheduleStatus",
    "BackupSchedule.spec.full": "ScheduledRuns",
    "BackupSchedule.spec.differential": "ScheduledRuns",
    "BackupSchedule.spec.incremental": "ScheduledRuns",
    "BackupSchedule.spec.throttle": "BackupThrottle",
    "BackupSchedule.spec.continuous": "ContinuousSettings",
    "BackupSchedule.spec.verification": "BackupVerification",
    "BackupSchedule.spec.verification.restoreTest": "RestoreTest",
    "BackupSchedule.spec.verification.restoreTest.storage": "RestoreTestStorage",
    "*.checks[]": "RestoreCheck",
    "BackupSchedule.status.continuous": "ContinuousStatus",
    "BackupSchedule.status.windows[]": "RecoveryWindow",
    "BackupSchedule.status.gaps[]": "LogGap",
    "BackupSchedule.status.repository": "RepositoryStatus",
    "BackupSchedule.status.expiry": "ExpiryStatus",
    "BackupSchedule.status.verified": "VerifiedStatus",
    "ReplicationLink.status.backup.expire": "ExpireAssignment",
    "ReplicationLink.status.backup.read": "ReadAssignment",
    "ReplicationLink.status.backup.test": "TestAssignment",
    "Backup.status.verified": "BackupVerified",
    "Restore.spec.from.backupRef": "BackupReference",
    "Restore.spec.from.repository": "RestoreRepository",
    "Restore.status.plan": "RestorePlan",
    "BackupSchedule.spec.retention": "BackupRetention",
    "BackupSchedule.status.last": "LastBackup",
    "BackupSchedule.status.runs": "RunsStatus",
    "BackupSchedule.status.runs.current": "CurrentRun",
    "BackupSchedule.status.runs.failed": "FailedRunStatus",
    "*.scheduleRef": "ScheduleReference",
    "Backup.spec": "BackupSpec",
    "Backup.status": "BackupStatus",
    "Restore.spec": "RestoreSpec",
    "Restore.spec.from": "RestoreSource",
    "Restore.spec.target": "RestoreTarget",
    "Restore.spec.to": "RestoreTo",
    "Restore.spec.to.newLink": "NewLink",
    "Restore.spec.to.inPlace": "InPlace",
    "Restore.status": "RestoreStatus",
    "ReplicationLink.status.workers[]": "WorkerStatus",
    "ReplicationLink.status.sync": "SyncStatus",
    "ReplicationLink.status.sync.failedSample[]": "FailedKey",
    "ReplicationLink.status.verification": "VerificationStatus",
    "ReplicationLink.status.verification.reports[]": "VerificationReportKey",
    "*.status.accepted": "AcceptedSpec",
    "ReplicationLink.status.trial": "TrialStatus",
    "*.conditions[]": "Condition",
    "FailoverPolicy.spec": "PolicySpec",
    "FailoverPolicy.spec.services[]": "PolicyService",
    "FailoverPolicy.spec.services[].template": "ServiceTemplate",
    "FailoverPolicy.spec.configMaps[]": "PolicyConfigMap",
    "FailoverPolicy.spec.lease": "LeaseSettings",
    "FailoverPolicy.spec.triggers": "Triggers",
    "FailoverPolicy.spec.candidates": "Candidates",
    "FailoverPolicy.spec.candidates.scoring": "Scoring",
    "FailoverPolicy.spec.promotion": "Promotion",
    "FailoverPolicy.spec.failback": "Failback",
    "FailoverPolicy.spec.drill": "Drill",
    "FailoverPolicy.spec.notifications[]": "Notification",
    "FailoverPolicy.spec.notifications[].webhook": "WebhookTarget",
    "FailoverPolicy.status": "PolicyStatus",
    "FailoverPolicy.status.services[]": "PolicyServiceStatus",
    "FailoverPolicy.status.configMaps[]": "PolicyConfigMapStatus",
    "FailoverPolicy.status.drill": "DrillStatus",
    "FailoverPolicy.status.observers[]": "Observer",
    "FailoverPolicy.status.current": "FailoverStep",
    "FailoverPolicy.status.history[]": "FailoverRecord",
    "*.linkRef": "LinkReference",
    "*.urlSecretRef": "SecretKeyReference",
    "*.keySecretRef": "SecretKeyReference",
    "*.passwordSecretRef": "SecretKeyReference",
    "*.imagePullSecrets[]": "SecretReference",
    "*.ownerSecretRef": "SecretReference",
    "*.credentialsSecretRef": "SecretReference",
    "*.caSecretRef": "SecretReference",
    "*.secretRef": "SecretReference",
    "*.clientSecretRef": "SecretReference",
}
ENUMS = {
    "*.engine": "Engine",
    "*.deletionPolicy": "DeletionPolicy",
    "*.topology": "Topology",
    "*.durability.mode": "DurabilityMode",
    "*.initdb.encoding": "Encoding",
    "*.initdb.localeProvider": "LocaleProvider",
    "*.roles[].ensure": "Ensure",
    "*.queries[].instances": "AskedInstances",
    "*.queries[].values[].type": "MetricType",
    "*.updates.primary": "PrimaryUpdate",
    "*.import.sslMode": "SslMode",
    "*.import.method": "ImportMethod",
    "*.status.import.phase": "ImportPhase",
    "*.services[].template.type": "ServiceType",
    "*.services[].template.externalTrafficPolicy": "ExternalTrafficPolicy",
    "*.nodeSelectorTerms[].matchExpressions[].operator": "NodeOperator",
    "*.preference.matchExpressions[].operator": "NodeOperator",
    "*.matchFields[].operator": "NodeOperator",
    "*Selector.matchExpressions[].operator": "LabelOperator",
    "*.tolerations[].operator": "TolerationOperator",
    "*.tolerations[].effect": "TaintEffect",
    "*.whenUnsatisfiable": "WhenUnsatisfiable",
    "*.nodeAffinityPolicy": "NodeInclusion",
    "*.nodeTaintsPolicy": "NodeInclusion",
    "*.standby": "Standby",
    "*.diverged": "Diverged",
    "*.kafka.sasl.mechanism": "KafkaMechanism",
    "*.kafka.delivery": "KafkaDelivery",
    "*.kafka.compression": "KafkaCompression",
    "*.kafka.start": "KafkaStart",
    "*.kafka.intoExisting": "IntoExisting",
    "*.s3.detect": "Detect",
    "*.s3.versions": "ObjectVersions",
    "*.s3.deletes.mode": "DeletesMode",
    "*.s3.compression": "Compression",
    "*.conditions[].status": "ConditionStatus",
    "FailoverPolicy.spec.mode": "FailoverMode",
    "*.services[].selects": "Selects",
    "*.failback.mode": "FailbackMode",
    "*.drill.kind": "DrillKind",
    "Backup.spec.kind": "BackupKind",
    "Backup.spec.keep": "BackupKeep",
    "Backup.status.verified.level": "VerifiedLevel",
    "BackupSchedule.spec.takeFrom": "TakeFrom",
    "BackupSchedule.status.last.kind": "BackupKind",
    "BackupSchedule.status.runs.current.kind": "BackupKind",
    "BackupSchedule.status.verified.read": "TestOutcome",
    "BackupSchedule.status.verified.restored": "TestOutcome",
    "ReplicationLink.status.backup.run.kind": "BackupKind",
    "Restore.status.plan.kind": "BackupKind",
    "Backup.status.phase": "BackupPhase",
    "Restore.status.phase": "RestorePhase",
}
# Comments of structs that several fields share.
DOCS = {
    "Endpoint": "An endpoint: the source or one of the targets. `from` is set on targets only.",
    "SecretReference": "A Secret of the same namespace.",
    "SecretKeyReference": "One key of a Secret of the same namespace.",
    "LinkReference": "A ReplicationLink of the same namespace.",
    "Condition": "One condition, as the conventions of the Kubernetes API have it.",
}
# Objects kept as JSON: they are Kubernetes' own shapes and only handed on.
FREE = {"resources"}
# Kept as JSON as well, as people wrote them, so that no pod is replaced for the way we would write them. Their structs are for
# who judges them (placement_types.hpp, api/validate_placement.cpp): a link that runs goes on where they are found wrong.
CHECKED = {"affinity", "tolerations[]", "topologySpreadConstraints[]"}
# Plain members though the schema gives no default, and what absence means. Settings of an engine: every field's default, and
# an object of another engine must not get them written into its spec. What an endpoint leaves out: the link's, which a
# default that the API server fills in would hide.
PLAIN = {
    "ReplicationLink.spec.postgres": None,
    "ReplicationLink.spec.s3": None,
    "ReplicationLink.spec.kafka": None,
    "*.postgres.managed.version": 15,
    "*.postgres.managed.storage": None,
    "*.postgres.managed.storage.size": "10Gi",
    "*.postgres.managed.storage.ephemeral": False,
}
# What is made of a struct once it is read, by functions that are written by hand (api/managed_defaults.hpp).
COMPLETED = {"LinkSpec": "inherit_managed"}
# A pattern has a matcher written by hand (api/patterns.hpp), because std::regex is slow and recursive.
PATTERNS = {
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": ("is_dns_label", "a DNS label: lower-case letters, digits and '-'"),
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$": ("is_dns_label_or_empty", "empty or a DNS label: lower-case letters, digits and '-'"),
    r"^[a-z]([-a-z0-9]*[a-z0-9])?$": ("is_service_name", "a Service's name: a lower-case letter, then letters, digits and '-'"),
    r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$": ("is_object_name", "an object's name: lower-case letters, digits, '-' and '.'"),
    r"^[a-z_][a-z0-9_]*$": ("is_sql_name", "a lower-case SQL name: letters, digits and '_'"),
    r"^[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$": ("is_size", "a size such as 10Gi"),
    r"^[A-Za-z0-9][-A-Za-z0-9_.@]*$": ("is_word", "letters, digits, '-', '_', '.' and '@', the first one a letter or a digit"),
    r"^[A-Za-z_][A-Za-z0-9_]*$": ("is_variable_name", "a variable's name: letters, digits and '_', the first one no digit"),
    r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][-A-Za-z0-9._]*):[1-9][0-9]{0,4}$": ("is_broker", "HOST:PORT such as broker1.example:9092, without a scheme or a path"),
    r"^[A-Za-z0-9._-]*$": ("is_topic_part", "letters, digits, '.', '_' and '-'"),
    r"^https?://[A-Za-z0-9.:_\[\]-]+$": ("is_origin", "scheme, host and port such as https://s3.example:9000, and nothing behind them"),
    r"^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$": ("is_log_position", "a position of the log such as 0/5F000000"),
    r"^[1-9][0-9]{0,18}$": ("is_transaction_number", "a transaction's number such as 7421"),
    r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$": ("is_reason", "a CamelCase reason"),
}


KEYWORDS = {"import", "operator", "template"}


def enumerator(value):
    return "k" + value.replace("-", "_")


def snake(name):
    member = re.sub(r"([A-Z])", lambda m: "_" + m.group(1).lower(), name).lstrip("_")
    return member + "_" if member in KEYWORDS else member


def lookup(table, path):
    """The entry for the path itself, else the longest '*' suffix that matches."""
    if path in table:
        return table[path]
    suffixes = [key for key in table if key.startswith("*") and path.endswith(key[1:])]
    return table[max(suffixes, key=len)] if suffixes else None


class Generator:
    def __init__(self):
        self.structs = {}  # name -> {"fields": [...], "doc": ..., "paths": [...]}; in order of dependency
        self.enums = {}  # name -> values
        self.roots = []  # (kind, spec struct, status struct)
        self.names_apart = set()  # of structs and enums that only what is CHECKED has

    def fail(self, path, why):
        sys.exit(f"generate.py: {path}: {why}")

    # The C++ type of a schema and the rule its values obey, as a C++ initializer ("" for none).
    def value(self, schema, path):
        leaf = path.rsplit(".", 1)[-1]
        kind = schema.get("type")
        if schema.get("x-kubernetes-int-or-string"):
            return "std::string", ""
        if kind == "object":
            if schema.get("x-kubernetes-preserve-unknown-fields") or leaf in FREE:
                return "Json", ""
            if leaf in CHECKED:
                self.look_at(schema, path)
                return "Json", ""
            if "additionalProperties" in schema:
                inner, rule = self.value(schema["additionalProperties"], path + "{}")
                bounds = (("minProperties", "min_items"), ("maxProperties", "max_items"))
                parts = [f".{rule_name} = {schema[key]}" for key, rule_name in bounds if key in schema]
                return f"std::map<std::string, {inner}>", self.with_items(parts, rule)
            return self.struct(schema, path), ""
        if kind == "array":
            inner, rule = self.value(schema["items"], path + "[]")
            parts = []
            if "minItems" in schema:
                parts.append(f".min_items = {schema['minItems']}")
            if "maxItems" in schema:
                parts.append(f".max_items = {schema['maxItems']}")
            if schema.get("x-kubernetes-list-type") == "set":
                parts.append(".unique = true")
            return f"std::vector<{inner}>", self.with_items(parts, rule)
        if kind == "string":
            if "enum" in schema:
                return self.enum(schema, path), ""
            parts = []
            if "minLength" in schema:
                parts.append(f".min_length = {schema['minLength']}")
            if "maxLength" in schema:
                parts.append(f".max_length = {schema['maxLength']}")
            if schema.get("format") == "date-time":
                parts.append('.matches = is_date_time, .shape = "a date and time such as 2026-01-31T12:00:00Z"')
            elif "pattern" in schema:
                if schema["pattern"] not in PATTERNS:
                    self.fail(path, f"no matcher for the pattern {schema['pattern']}")
                function, shape = PATTERNS[schema["pattern"]]
                parts.append(f".matches = {function}, .shape = {json.dumps(shape)}")
            return "std::string", "{" + ", ".join(parts) + "}" if parts else ""
        if kind in ("integer", "number"):
            parts = [f".{key} = {schema[key]}" for key in ("minimum", "maximum") if key in schema]
            return ("int64_t" if kind == "integer" else "double"), "{" + ", ".join(parts) + "}" if parts else ""
        if kind == "boolean":
            return "bool", ""
        self.fail(path, f"type {kind} is not handled")

    def look_at(self, schema, path):
        before = set(self.structs) | set(self.enums)
        self.struct(schema, path)
        self.names_apart |= (set(self.structs) | set(self.enums)) - before

    def with_items(self, parts, rule):
        if rule:
            parts = parts + [f".items = {rule}"]
        return "{" + ", ".join(parts) + "}" if parts else ""

    def enum(self, schema, path):
        name = lookup(ENUMS, path) or self.fail(path, "an enum without a name in ENUMS")
        values = [str(value) for value in schema["enum"]]
        if self.enums.setdefault(name, values) != values:
            self.fail(path, f"differs from the other {name}")
        return name

    def literal(self, default, cpp_type):
        """The initializer that stands for what absence means."""
        if default is None or isinstance(default, (dict, list)):
            return ""
        if cpp_type in self.enums:
            return f"{cpp_type}::{enumerator(default)}"
        return json.dumps(default) if cpp_type == "std::string" else str(default).lower()

    def struct(self, schema, path):
        name = lookup(SHAPES, path) or self.fail(path, "an object without a name in SHAPES")
        required = set(schema.get("required", []))
        fields = []
        for key, part in schema.get("properties", {}).items():
            at = f"{path}.{key}"
            cpp_type, rule = self.value(part, at)
            many = cpp_type.startswith("std::vector") or cpp_type.startswith("std::map") or cpp_type == "Json"
            plain = at in PLAIN or any(one.startswith("*") and at.endswith(one[1:]) for one in PLAIN)
            default = self.literal(part.get("default", lookup(PLAIN, at)), cpp_type)
            if key in required:
                need, initial = "required", default
            elif "default" in part or many or plain:
                need, initial = "defaulted", default
            else:
                need, initial = "optional", ""
            if need != "optional" and not initial:
                initial = {"int64_t": "0", "double": "0", "bool": "false"}.get(cpp_type, "")
                if cpp_type in self.enums:
                    initial = f"{cpp_type}::{enumerator(self.enums[cpp_type][0])}"
            keys = part.get("x-kubernetes-list-map-keys", [])
            fields.append({
                "key": key, "member": snake(key), "type": cpp_type, "rule": rule, "need": need, "initial": initial,
                "unique": keys[0] if keys else "", "doc": " ".join(part.get("description", "").split()),
            })
        known = self.structs.get(name)
        if known is None:
            self.structs[name] = {"fields": fields, "doc": DOCS.get(name, schema.get("description", ""))}
        else:
            shape = lambda field: {key: field[key] for key in field if key != "doc"}
            fuller = {field["key"]: shape(field) for field in known["fields"]}
            for field in fields:
                if fuller.get(field["key"]) != shape(field):
                    self.fail(f"{path}.{field['key']}", f"differs from the other {name}")
        return name

    def root(self, crd):
        kind = crd["spec"]["names"]["kind"]
        for version in crd["spec"]["versions"]:
            if version["storage"]:
                schema = version["schema"]["openAPIV3Schema"]
        properties = schema["properties"]
        # The fullest shape of a struct is met first: targets before source.
        spec = properties["spec"]["properties"]
        for first in ("targets",):
            if first in spec:
                self.value(spec[first], f"{kind}.spec.{first}")
        self.roots.append((kind, crd, self.struct(properties["spec"], f"{kind}.spec"),
                           self.struct(properties["status"], f"{kind}.status"), " ".join(schema["description"].split())))

    # ---- output
    def comment(self, text, indent="", width=118):
        lines, line = [], indent + "//"
        for word in text.split():
            if len(line) + 1 + len(word) > width:
                lines.append(line)
                line = indent + "//"
            line += " " + word
        return lines + [line] if text else []

    def members(self, names):
        """A visitor of all members, for what treats every struct alike (api/packed.hpp)."""
        return ["  template <class Self, class Each>", "  static void for_each_member(Self& self, const Each& each) {",
                *(f"    each(self.{name});" for name in names), "  }"]

    def header_apart(self):
        out = ["// Generated by api/generate.py from crds/. Do not edit.", "#pragma once", '#include "api/types.hpp"', "", "namespace twinspan::api {", ""]
        return "\n".join(out + self.declarations(apart=True) + ["}  // namespace twinspan::api", ""])

    def declarations(self, apart):
        out = []
        for name, values in self.enums.items():
            if (name in self.names_apart) != apart:
                continue
            out += [f"enum class {name} {{ {', '.join(map(enumerator, values))} }};",
                    f"std::string_view to_string({name} value);",
                    f"std::optional<{name}> parse_{snake(name)}(std::string_view text);", ""]
        for name, struct in self.structs.items():
            if (name in self.names_apart) != apart:
                continue
            out += self.comment(struct["doc"]) + [f"struct {name} {{"]
            for field in struct["fields"]:
                cpp_type = f"std::optional<{field['type']}>" if field["need"] == "optional" else field["type"]
                initial = f" = {field['initial']}" if field["initial"] else ""
                if cpp_type == "Json":
                    initial = " = nullptr"
                out += self.comment(field["doc"], "  ") + [f"  {cpp_type} {field['member']}{initial};"]
            out += ["", *self.members(field["member"] for field in struct["fields"]),
                    f"  bool operator==(const {name}&) const = default;", "};",
                    f"Result<{name}> parse_{snake(name)}(const Json& json);", f"Json to_json(const {name}& value);", ""]
        return out

    def header(self):
        out = ["// Generated by api/generate.py from crds/. Do not edit.", "#pragma once", "#include <cstdint>", "#include <map>",
               "#include <nlohmann/json.hpp>", "#include <optional>", "#include <string>", "#include <string_view>", "#include <vector>", "",
               '#include "api/meta.hpp"', '#include "core/json.hpp"', '#include "core/result.hpp"', "", "namespace twinspan::api {", ""]
        out += self.declarations(apart=False)
        for kind, crd, spec, status, doc in self.roots:
            names = crd["spec"]["names"]
            version = [v["name"] for v in crd["spec"]["versions"] if v["storage"]][0]
            out += self.comment(doc) + [f"struct {kind} {{",
                    f'  static constexpr std::string_view kKind = "{kind}";',
                    f'  static constexpr std::string_view kApiVersion = "{crd["spec"]["group"]}/{version}";',
                    f'  static constexpr std::string_view kPlural = "{names["plural"]}";', "",
                    "  ObjectMeta metadata;", f"  {spec} spec;", f"  {status} status;", "",
                    *self.members(["metadata", "spec", "status"]),
                    f"  bool operator==(const {kind}&) const = default;", "};",
                    "// kInvalid names the field, its value and what was expected.",
                    f"Result<{kind}> parse_{snake(kind)}(const Json& json);", f"Json to_json(const {kind}& value);", ""]
        return "\n".join(out + ["}  // namespace twinspan::api", ""])

    def source(self):
        out = ["// Generated by api/generate.py from crds/. Do not edit.", '#include "api/types.hpp"', "", '#include "api/managed_defaults.hpp"', '#include "api/patterns.hpp"',
               '#include "api/placement_types.hpp"',
               '#include "api/reader.hpp"', "", "namespace twinspan::api {", ""]
        for name, values in self.enums.items():
            out += [f"std::string_view to_string({name} value) {{", "  switch (value) {"]
            out += [f'    case {name}::{enumerator(value)}: return "{value}";' for value in values]
            out += ["  }", '  return "Unknown";', "}", f"std::optional<{name}> parse_{snake(name)}(std::string_view text) {{"]
            out += [f'  if (text == "{value}") return {name}::{enumerator(value)};' for value in values]
            out += ["  return std::nullopt;", "}",
                    f"static Status read(const Json& json, const Path& at, {name}& out, const Rule&) {{",
                    f'  return read_enum(json, at, out, parse_{snake(name)}, "{", ".join(values)}");', "}", ""]
        for name in self.structs:
            out.append(f"static Status read(const Json& json, const Path& at, {name}& out, const Rule& rule);")
        out.append("")
        for name, struct in self.structs.items():
            out += [f"Status read(const Json& json, const Path& at, {name}& out, const Rule&) {{",
                    "  if (auto ok = expect_object(json, at); !ok) return ok;"]
            for field in struct["fields"]:
                rule = self.rule(field["rule"], out)
                out.append(f'  if (auto ok = read_{field["need"]}(json, at, "{field["key"]}", out.{field["member"]}, {rule}); !ok) return ok;')
                if field["unique"]:
                    inner = re.search(r"<(.*)>", field["type"]).group(1)
                    out.append(f'  if (auto ok = expect_unique(out.{field["member"]}, &{inner}::{snake(field["unique"])}, '
                               f'Path{{&at, "{field["key"]}"}}, "{field["unique"]}"); !ok) return ok;')
            done = f"{COMPLETED[name]}(json, at, out)" if name in COMPLETED else "{}"
            out += [f"  return {done};", "}",
                    f"Result<{name}> parse_{snake(name)}(const Json& json) {{ return parse_as<{name}>(json); }}",
                    f"Json to_json(const {name}& value) {{", "  Json json = Json::object();"]
            # An empty list that its own schema would refuse stands for none: what is written can always be read again.
            write = lambda field: "write_unless_empty" if field["need"] == "defaulted" and "min_items = " in field["rule"].split(".items")[0] else "write"
            # Nor can one of an object that was never asked for, where some of its fields are required: it is left out as well.
            needy = lambda field: field["need"] == "defaulted" and any(
                inner["need"] == "required" for inner in self.structs.get(field["type"], {"fields": []})["fields"])
            unless = lambda field: f'if (value.{field["member"]} != {field["type"]}{{}}) ' if needy(field) else ""
            out += [f'  {unless(field)}{write(field)}(json, "{field["key"]}", value.{field["member"]});' for field in struct["fields"]]
            out += ["  return json;", "}", ""]
        for kind, crd, spec, status, doc in self.roots:
            out += [f"Result<{kind}> parse_{snake(kind)}(const Json& json) {{ return parse_root<{kind}>(json); }}",
                    f"Json to_json(const {kind}& value) {{",
                    f"  return {{{{\"apiVersion\", {kind}::kApiVersion}}, {{\"kind\", {kind}::kKind}}, {{\"metadata\", to_json(value.metadata)}},",
                    '          {"spec", to_json(value.spec)}, {"status", to_json(value.status)}};', "}", ""]
        return "\n".join(out + ["}  // namespace twinspan::api", ""])

    def rule(self, text, out):
        """Nested rules (of list items) become static constants of their own."""
        nested = text.find(".items = {")
        if nested < 0:
            return f"Rule{text}" if text else "Rule{}"
        inner = self.rule(text[nested + len(".items = "):-1], out)
        self.counter = getattr(self, "counter", 0) + 1
        out.append(f"  static constexpr Rule items_{self.counter} = {inner};")
        return f"Rule{text[:nested]}.items = &items_{self.counter}}}"


def main():
    output = pathlib.Path(sys.argv[1])
    generator = Generator()
    for path in sys.argv[2:]:
        generator.root(yaml.safe_load(pathlib.Path(path).read_text()))
    output.mkdir(parents=True, exist_ok=True)
    for name, text in (("types.hpp", generator.header()), ("placement_types.hpp", generator.header_apart()), ("types.cpp", generator.source())):
        file = output / name
        # What is the same keeps its time: nothing that includes it is compiled again.
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


if __name__ == "__main__":
    main()
