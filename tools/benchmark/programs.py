# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""The programs of bench/ that measure, and how much of it they are to do."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    whole: tuple = ()
    quick: tuple = ()

    def arguments(self, quick):
        return list(self.quick if quick else self.whole)


ALL = (
    Program("current_loop", ("51",), ("9",)),
    Program("growth", ("15", "10000"), ("9", "100")),
    Program("choosers", ("1000",), ("10",)),
    Program("hops", ("21",), ("9",)),
    Program("calls", ("20000",), ("2000",)),
    Program("counters", ("21",), ("9",)),
    Program(
        "serving",
        ("--seconds=120", "--rounds=11"),
        ("--seconds=4", "--rounds=9", "--only=10 us"),
    ),
    Program("foreign_loops", ("15",), ("9",)),
    Program("file_watches", ("15",), ("9",)),
    Program("program_starts", ("15", "1024", "5000"), ("9", "16", "500")),
    Program("child_exits", ("25", "10000"), ("9", "10")),
    Program("mass_exits", ("9", "300"), ("9", "50")),
    Program("child_waits", ("1000",), ("100",)),
)
