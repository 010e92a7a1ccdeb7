# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""The results of a run, as they are stored: JSON, one result a line."""

import json

FORMAT = 1


class Unusable(Exception):
    """Something that was given cannot be used."""


def key(record):
    return (record["program"], record["table"], record["what"], record["name"])


def load(path):
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        raise Unusable(f"{path}: {problem}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Unusable(f"{path} holds no results of this format")
    return found


def store(found, path):
    def lines(of):
        return "[\n" + ",\n".join(json.dumps(each) for each in of) + "\n]"

    rest = {name: it for name, it in found.items() if name not in ("programs", "results")}
    text = json.dumps(rest, indent=1)[:-2]
    text += f',\n "programs": {lines(found["programs"])},\n "results": {lines(found["results"])}\n}}\n'
    path.write_text(text)
