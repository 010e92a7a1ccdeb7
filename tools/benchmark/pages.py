# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""Writes what the documentation includes: for each program its charts and tables, and the machine."""

import re

from . import chart, programs, results


def slug(*words):
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def cell(text):
    return str(text).replace("|", "\\|")


def grouped(records, names):
    """Lists of the records that agree in these, in the order of their coming."""
    groups = {}
    for record in records:
        groups.setdefault(tuple(record[name] for name in names), []).append(record)
    return groups


def measured_table(records):
    first = records[0]
    lines = ['[cols="4,>2,>3",options="header"]', "|==="]
    lines.append(f"| | {cell(first['what'])}, {first['unit']} | ratio [96% interval]")
    for each in records:
        it = chart.shown(each) if each["ratio"] else None
        ratio = f"{it['median']:.2f} [{it['low']:.2f}, {it['high']:.2f}]" if it else "-"
        figure = each["figure"]
        text = chart.number(figure["median"])
        if not each["ratio"]:
            text += f" [{chart.number(figure['low'])}, {chart.number(figure['high'])}]"
        lines.append(f"| {cell(each['name'])} | {text} | {ratio}")
    return lines + ["|==="]


def counted_table(records):
    """Of what was counted: a column each."""
    columns = list(grouped(records, ["what", "unit"]))
    lines = [f'[cols="4,{len(columns)}*>2",options="header"]', "|==="]
    heads = [what if unit in what else f"{what}, {unit}" for what, unit in columns]
    lines.append("| | " + " | ".join(cell(head) for head in heads))
    for (name,), own in grouped(records, ["name"]).items():
        by_column = {(each["what"], each["unit"]): each["figure"]["median"] for each in own}
        cells = [chart.number(by_column[c]) if c in by_column else "-" for c in columns]
        lines.append(f"| {cell(name)} | " + " | ".join(cells))
    return lines + ["|==="]


def page_of(name, records, folder, place):
    """Writes the charts of a program; gives the page's lines."""
    lines = []
    measured = [each for each in records if each["rounds"] > 0]
    for (table, what), own in grouped(measured, ["table", "what"]).items():
        title = f"{table}: {what}"
        file = slug(name, table, what) + ".svg"
        (folder / file).write_text(chart.svg(title, own))
        lines += [f'image::{place}/{file}["{title}",opts=inline]', ""]
        lines += [".In figures", "[%collapsible]", "====", *measured_table(own), "====", ""]
    counted = [each for each in records if each["rounds"] == 0]
    # What is counted of one thing each makes one table.
    names = [] if all(each["table"] == each["what"] for each in counted) else ["table"]
    for key, own in grouped(counted, names).items():
        lines += [f".{key[0]}"] if key else []
        lines += [*counted_table(own), ""]
    return lines


def machine_lines(found):
    it = found["machine"]
    cpu = it["processor"]
    kind = "virtual machine" if cpu["virtual"] else "machine"
    facts = {
        "Date": it["date"],
        "Commit": it["commit"],
        "Processor": f"{cpu['model']}, {cpu['cpus']} CPUs, of which {cpu['allowed_cpus']} allowed; {kind}",
        "Governor": cpu["governor"],
        "Memory": f"{it['memory_mib']} MiB",
        "Kernel": it["kernel"],
        "Compiler": it["compiler"],
        "Beside": ", ".join(f"{name} {value}" for name, value in it["versions"].items() if value),
        "Limits": ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in it["limits"].items() if value
        ),
        "Load before": it["load_before"],
        "Runs": "quick ones" if found["quick"] else "whole ones",
    }
    lines = ['[cols="1,4"]', "|==="]
    lines += [f"| {name} | {cell(value)}" for name, value in facts.items() if value is not None]
    return lines + ["|===", ""]


def write(found, folder):
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "results.json").exists() and any(folder.glob("*.adoc")):
        raise results.Unusable(f"{folder} has pages that are not of a run; name another folder")
    for old in [*folder.glob("*.svg"), *folder.glob("*.adoc")]:
        old.unlink()  # figures of two runs would not belong together
    results.store(found, folder / "results.json")
    (folder / "machine.adoc").write_text("\n".join(machine_lines(found)))
    parts = folder.resolve().parts
    place = folder.name
    if "doc" in parts:
        place = "/".join(parts[len(parts) - parts[::-1].index("doc") :])
    ran = {each["name"]: each for each in found["programs"]}
    for program in programs.ALL:
        it = ran.get(program.name)
        own = [each for each in found["results"] if each["program"] == program.name]
        lines = page_of(program.name, own, folder, place)
        if it:
            command = " ".join([f"bin/stage/{program.name}", *it["arguments"]])
            lines[:0] = [f"By `{command}`, in {it['seconds']:.0f} s.", ""]
        if not it or it["problem"]:
            lines[:0] = [f"Not measured: {it['problem'] if it else 'it was not run'}.", ""]
        (folder / f"{program.name}.adoc").write_text("\n".join(lines))
