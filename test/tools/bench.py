# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""What tools/bench makes of results: comparisons, pages and charts. Nothing is measured here."""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))

from benchmark import chart, machine, results, run  # noqa: E402


def record(name, ratio, **other):
    made = {
        "program": "hops",
        "table": "a | table",
        "name": name,
        "what": "wall time",
        "unit": "us",
        "rounds": 9,
        "figure": dict(zip(("median", "low", "high"), (5.0, 4.0, 6.0))),
        "ratio": dict(zip(("median", "low", "high"), ratio)) if ratio else None,
        "better": "less",
    }
    made.update(other)
    return made


def run_of(*records):
    return {
        "format": results.FORMAT,
        "quick": True,
        "machine": machine.describe(ROOT),
        "programs": [
            {"name": "hops", "arguments": ["9"], "seconds": 1.5, "problem": None}
        ],
        "results": list(records),
    }


BASE = run_of(
    record("the <floor>", (1, 1, 1)),
    record("slower", (1.5, 1.4, 1.6)),
    record("rate", (0.9, 0.8, 1.0), better="more"),
    record("no ratio", None),
    record("descriptors", None, what="descriptors", unit="fds", rounds=0),
)


class Tool(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)

    def bench(self, *arguments):
        command = [sys.executable, str(ROOT / "tools/bench"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def stored(self, name, found):
        path = self.place / name
        results.store(found, path)
        return path

    def changed(self, index, ratio):
        """Compares the base with itself but for one ratio; gives the tool's end."""
        other = copy.deepcopy(BASE)
        other["results"][index]["ratio"] = dict(zip(("median", "low", "high"), ratio))
        was, now = self.stored("was.json", BASE), self.stored("now.json", other)
        return self.bench("--results", now, "--compare", was)

    def test_what_is_stored_is_read_again(self):
        path = self.stored("results.json", BASE)
        self.assertEqual(results.load(path), json.loads(path.read_text()))
        self.assertEqual(results.load(path), BASE)

    def test_an_unchanged_result_is_not_worse(self):
        same = self.stored("same.json", BASE)
        done = self.bench("--results", same, "--compare", same)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("3 ratios compared, 0 worse", done.stdout)

    def test_a_worse_ratio_is_told(self):
        done = self.changed(1, (2.2, 2.1, 2.3))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("1 worse by more than 20%", done.stdout)
        self.assertRegex(done.stdout, r"slower +1\.50 \[1\.40, 1\.60\] +2\.20 \[2\.10, 2\.30\]")
        self.assertNotIn("rate", done.stdout)

    def test_a_lower_rate_is_worse(self):
        self.assertEqual(self.changed(2, (0.5, 0.4, 0.6)).returncode, 1)
        self.assertEqual(self.changed(2, (2.0, 1.9, 2.1)).returncode, 0)

    def test_what_the_interval_or_the_margin_holds_is_not_worse(self):
        self.assertEqual(self.changed(1, (3.0, 1.5, 4.0)).returncode, 0)
        self.assertEqual(self.changed(1, (1.9, 1.9, 2.0)).returncode, 0)  # 1.6 and a fifth: 1.92
        self.assertEqual(self.changed(1, (1.93, 1.93, 2.0)).returncode, 1)
        self.assertEqual(self.changed(1, (0.1, 0.1, 0.2)).returncode, 0)

    def test_a_margin_can_be_given(self):
        other = copy.deepcopy(BASE)
        other["results"][1]["ratio"] = {"median": 1.9, "low": 1.8, "high": 2.0}
        was, now = self.stored("was.json", BASE), self.stored("now.json", other)
        given = ("--results", now, "--compare", was, "--margin")
        self.assertEqual(self.bench(*given, 0.1).returncode, 1)
        self.assertEqual(self.bench(*given, 0.5).returncode, 0)

    def test_runs_without_a_common_result_are_no_success(self):
        other = run_of(record("another", (1, 1, 1)))
        was, now = self.stored("was.json", BASE), self.stored("now.json", other)
        done = self.bench("--results", now, "--compare", was)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no result that both runs have", done.stderr)

    def test_what_is_no_result_is_refused(self):
        for text in ("", "[]", '{"format": 0}'):
            path = self.place / "bad.json"
            path.write_text(text)
            self.assertEqual(self.bench("--results", path, "--compare", path).returncode, 1)

    def test_a_setting_of_no_program_is_refused(self):
        done = self.bench("--no-build", "--with", "nothing 9")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no program nothing", done.stderr)

    def test_pages_have_charts_and_tables(self):
        folder = self.place / "doc" / "measured"
        folder.mkdir(parents=True)
        (folder / "old.svg").write_text("of a former run")
        done = self.bench("--results", self.stored("found.json", BASE), "--into", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(results.load(folder / "results.json"), BASE)
        self.assertEqual([it.name for it in folder.glob("*.svg")], ["hops-a-table-wall-time.svg"])
        page = (folder / "hops.adoc").read_text()
        self.assertIn("image::measured/hops-a-table-wall-time.svg[", page)
        self.assertIn("| slower | 5.00 | 1.50 [1.40, 1.60]", page)
        self.assertIn("| descriptors | 5.00", page)
        self.assertIn("`bin/stage/hops 9`", page)
        self.assertIn("Not measured", (folder / "serving.adoc").read_text())
        self.assertIn("| Kernel | Linux", (folder / "machine.adoc").read_text())

    def test_figures_are_short(self):
        self.assertEqual(chart.with_unit(9.5, "ns"), "9.50 ns")
        self.assertEqual(chart.with_unit(9999, "us"), "9,999 us")
        self.assertEqual(chart.with_unit(12002493, "ns"), "12.0 ms")
        self.assertEqual(chart.with_unit(80634, "requests/s"), "80,634 requests/s")
        self.assertEqual(chart.with_unit(0, "fds"), "0 fds")

    def test_a_chart_is_well_formed_and_within_its_frame(self):
        svg = "{http://www.w3.org/2000/svg}"
        wide = BASE["results"][:3] + [record("far", (900, 800, 1000))]
        for records, ticks in ((BASE["results"][:3], "0.5"), (wide, "1,000"), ([], "0")):
            root = xml.etree.ElementTree.fromstring(chart.svg("<title>", records))
            width = float(root.get("viewBox").split()[2])
            bars = [it for it in root.iter(svg + "rect") if it.get("class") != "paper"]
            self.assertEqual(len(bars), len(records))
            for bar in bars:
                self.assertLessEqual(float(bar.get("x")) + float(bar.get("width")), width)
            self.assertIn(ticks, [it.text for it in root.iter(svg + "text")])

    def test_results_of_programs_are_collected(self):
        stage = self.place / "bin" / "stage"
        stage.mkdir(parents=True)
        told = record("told", (1, 1, 1))
        for name, end in (("hops", ""), ("calls", "exit 3")):
            (stage / name).write_text(
                f"#!/bin/sh\necho '{json.dumps(told)}' >>\"$LOOPS_BENCH_JSON\"\n"
                f'test "$1 $LOOPS_POLICY" = "9 " || exit 1\n{end}\n'
            )
            (stage / name).chmod(0o700)
        wanted = {"hops": ["9"], "calls": ["9"], "missing": []}
        with unittest.mock.patch.dict(os.environ, LOOPS_POLICY="shared"):
            found = run.measure(self.place, wanted, True)
        self.assertEqual(found["results"], [told, told])
        problems = [each["problem"] for each in found["programs"]]
        self.assertEqual(problems[:2], [None, "ended with status 3"])
        self.assertIsNotNone(problems[2])
        self.assertEqual(results.load(self.stored("found.json", found)), found)

    def test_a_program_that_fails_or_hangs_is_a_problem(self):
        self.assertIsNone(run.execute(["true"], {}, 10))
        self.assertIn("status 1", run.execute(["false"], {}, 10))
        self.assertIn("longer", run.execute(["sleep", "60"], {}, 0.1))
        self.assertIsNotNone(run.execute([str(self.place / "missing")], {}, 10))


if __name__ == "__main__":
    unittest.main()
