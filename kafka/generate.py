#!/usr/bin/env python3
"""Writes messages.hpp and messages.cpp, structs and their codecs, from the table in messages.txt.

usage: generate.py OUTPUT_DIR messages.txt

Each API becomes a request with its answer, both of which can be written and read: the client needs one way, a broker of the tests the
other. An array's length is believed only as far as its smallest elements fit into what is left of the message.
"""
import pathlib
import re
import sys

PLAIN = {  # type -> C++ type, bytes at least
    "bool": ("bool", 1), "i8": ("int8_t", 1), "i16": ("int16_t", 2), "i32": ("int32_t", 4), "i64": ("int64_t", 8), "error": ("ErrorCode", 2),
    "uuid": ("Uuid", 16), "string": ("std::string", 1), "bytes": ("std::string", 1), "view": ("std::string_view", 1),
}
HPP = """// Generated from kafka/messages.txt by kafka/generate.py. decode() leaves a failed Reader where the bytes are not such a message.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/errors.hpp"
#include "kafka/wire.hpp"

namespace twinspan::kafka {
"""


class Field:
    def __init__(self, line, versions):
        text = line.split(" = ")
        words = text[0].split()
        self.name, self.default, self.tag, self.children = words[0], text[1] if len(text) > 1 else None, None, []
        self.low, self.high = versions
        if words[1] == "tag":
            self.tag, self.kind, words = int(words[2]), "[" + words[3] + "]", words[:2] + words[4:]
        else:
            self.kind = words[1]
        self.nullable = self.kind.endswith("?")
        self.kind = self.kind.rstrip("?")
        self.element = self.kind[1:-1] if self.kind.startswith("[") else None
        if len(words) > 2:
            low, high = words[2].split("-")
            self.low, self.high = max(self.low, int(low or 0)), min(self.high, int(high or 99))

    def plain(self):
        return self.element in PLAIN if self.element else self.kind in PLAIN

    def always(self, versions):
        return (self.low, self.high) == versions

    def least(self):
        """Bytes that it takes at least, in any version."""
        return 1 if self.element else PLAIN[self.kind][1]

    def type(self):
        if self.tag is not None:
            return f"std::optional<{self.element}>"
        if self.element:
            inner = PLAIN[self.element][0] if self.element in PLAIN else self.element
            return f"std::optional<std::vector<{inner}>>" if self.nullable else f"std::vector<{inner}>"
        inner = PLAIN[self.kind][0]
        return f"std::optional<{inner}>" if self.nullable else inner


class Api:
    def __init__(self, words):
        self.name, self.key, self.flexible = words[0], int(words[1]), int(words[3])
        self.versions = tuple(int(v) for v in words[2].split("-"))
        self.sides = {}


def read(path):
    apis, stack = [], []
    for number, raw in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        line = raw.split("#")[0].rstrip()
        if not line:
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        words = line.split()
        if depth == 0:
            apis.append(Api(words))
        elif depth == 1:
            if words[0] not in ("request", "response"):
                sys.exit(f"{path}:{number}: request or response expected, not {words[0]}")
            stack = [apis[-1].sides.setdefault(words[0], [])]
        else:
            field = Field(line.strip(), apis[-1].versions)
            if not field.element and field.kind not in PLAIN:
                sys.exit(f"{path}:{number}: unknown type {field.kind}")
            del stack[depth - 1:]
            stack[-1].append(field)
            stack.append(field.children)
    return apis


def declare(out, name, fields, indent, extra=()):
    pad = "  " * indent
    out.append(f"{pad}struct {name} {{")
    for field in fields:
        if field.children:
            declare(out, field.element, field.children, indent + 1)
    out += [f"{pad}  {line}" for line in extra]
    for field in fields:
        zero = {"bool": "false", "error": "ErrorCode::kNone"}.get(field.kind, "0")
        if field.default is not None:
            initial = f" = {field.default}"
        elif not field.nullable and field.kind in ("bool", "i8", "i16", "i32", "i64", "error"):
            initial = f" = {zero}"
        else:
            initial = "{}"
        out.append(f"{pad}  {field.type()} {field.name}{initial};")
    out.append(f"{pad}  void encode(Writer& out, int version) const;")
    out.append(f"{pad}  void decode(Reader& in, int version);")
    out.append(f"{pad}}};")


def one(field, value, write):
    """A statement that writes or reads one value that is no array."""
    kind = field.element or field.kind
    if kind not in PLAIN:
        return f"{value}.{'encode(out' if write else 'decode(in'}, version);"
    optional = field.nullable and not field.element
    if write:
        method = {"string": "string", "bytes": "bytes", "view": "bytes"}.get(kind, "put")
        return f"out.{method}{'_or_null' if optional else ''}({value}, flexible);" if method != "put" else f"out.put({value});"
    if kind in ("string", "bytes", "view"):
        return f"in.{kind}{'_or_null' if optional else ''}({value}, flexible);"
    return f"in.take({value});"


def least(fields, versions, flexible):
    return max(1, sum(f.least() for f in fields if f.always(versions) and f.tag is None))


def guarded(field, versions, lines):
    if field.always(versions):
        return lines
    tests = []
    if field.low > versions[0]:
        tests.append(f"version >= {field.low}")
    if field.high < versions[1]:
        tests.append(f"version <= {field.high}")
    return [f"if ({' && '.join(tests)}) {{"] + ["  " + line for line in lines] + ["}"]


def define(out, path, fields, api):
    for field in fields:
        if field.children:
            define(out, f"{path}::{field.element}", field.children, api)
    versions = api.versions
    tagged = [f for f in fields if f.tag is not None]
    inner = (api.versions, api.flexible)
    write, take = [], []
    for field in (f for f in fields if f.tag is None):
        if not field.element:
            write += guarded(field, versions, [one(field, field.name, True)])
            take += guarded(field, versions, [one(field, field.name, False)])
            continue
        size = PLAIN[field.element][1] if field.plain() else least(field.children, *inner)
        many = f"*{field.name}" if field.nullable else field.name
        each = f"for (const auto& each : {many}) {one(field, 'each', True)}"
        if field.nullable:
            write += guarded(field, versions, [f"if (!{field.name}) {{", "  out.null_array(flexible);", "} else {",
                                               f"  out.count({field.name}->size(), flexible);", "  " + each, "}"])
            reading = [f"{field.name}.reset();", f"if (const auto count = in.count({size}, flexible)) {{",
                       f"  for (auto& each : {field.name}.emplace(*count)) {one(field, 'each', False)}", "}"]
        else:
            write += guarded(field, versions, [f"out.count({field.name}.size(), flexible);", each])
            reading = [f"{field.name}.resize(in.count({size}, flexible).value_or(0));",
                       f"for (auto& each : {field.name}) {one(field, 'each', False)}"]
        take += guarded(field, versions, reading)
    if tagged:
        write += ["if (flexible) {", f"  out.uvarint({' + '.join(f'{f.name}.has_value()' for f in tagged)});"]
        for field in tagged:
            write += [f"  if ({field.name}) {{", "    std::string inside;", "    Writer tag(inside);", f"    {field.name}->encode(tag, version);",
                      f"    out.tag({field.tag}, inside);", "  }"]
        write += ["}"]
        cases = []
        for field in tagged:
            cases += [f"    if (number == {field.tag}) ({field.name} = {field.element}{{}})->decode(inside, version);"]
        take += ["if (flexible) {", "  in.tags([&](uint64_t number, Reader& inside) {"] + cases + ["  });", "}"]
    else:
        write += ["if (flexible) out.uvarint(0);"]
        take += ["if (flexible) in.skip_tags();"]
    unused = "[[maybe_unused]] "
    for what, argument, lines in (("encode(Writer& out, ", ") const", write), ("decode(Reader& in, ", ")", take)):
        out.append(f"void {path}::{what}{unused}int version{argument} {{")
        out.append(f"  {unused}const bool flexible = version >= {api.flexible};")
        out += ["  " + line for line in lines] + ["}"]


def main():
    folder, apis = pathlib.Path(sys.argv[1]), read(sys.argv[2])
    hpp, cpp = [HPP], ['// Generated from kafka/messages.txt by kafka/generate.py.', '#include "kafka/messages.hpp"', "", "namespace twinspan::kafka {"]
    for api in apis:
        declare(hpp, f"{api.name}Response", api.sides["response"], 0)
        facts = [f"using Answer = {api.name}Response;", f'static constexpr std::string_view kName = "{api.name}";',
                 f"static constexpr ApiRange kApi{{{api.key}, {api.versions[0]}, {api.versions[1]}, {api.flexible}}};"]
        declare(hpp, f"{api.name}Request", api.sides["request"], 0, facts)
        define(cpp, f"{api.name}Response", api.sides["response"], api)
        define(cpp, f"{api.name}Request", api.sides["request"], api)
    requests = ", ".join(f"{api.name}Request" for api in apis)
    hpp.append(f"template <template <class...> class List>\nusing EveryRequest = List<{requests}>;  // for tests that walk over all")
    for text in (hpp, cpp):
        text.append("}  // namespace twinspan::kafka\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "messages.hpp").write_text("\n".join(hpp))
    (folder / "messages.cpp").write_text("\n".join(cpp))


main()
