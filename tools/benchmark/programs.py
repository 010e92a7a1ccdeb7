# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""The programs of bench/ that measure, and how much of it they are to do."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    title: str
    whole: tuple = ()
    quick: tuple = ()


ALL = (
    Program("current_loop", "The current loop", ("51",), ("9",)),
    Program("growth", "Finding one loop of many", ("15", "10000"), ("9", "100")),
    Program("choosers", "Choosing a loop", ("1000",), ("10",)),
    Program("hops", "Hops between loops, and posts", ("21",), ("9",)),
    Program("calls", "Many small calls to another loop", ("20000",), ("2000",)),
    Program("counters", "Watches and counters", ("21",), ("9",)),
    Program(
        "serving",
        "Echo and HTTP",
        ("--seconds=120", "--rounds=11"),
        ("--seconds=3", "--rounds=9"),
    ),
    Program("foreign_loops", "Guests and hosts", ("15",), ("9",)),
    Program("file_watches", "Events of files", ("15",), ("9",)),
    Program("program_starts", "Starting a program", ("15", "1024", "5000"), ("9", "16", "500")),
    Program("child_exits", "The end of a child", ("25", "10000"), ("9", "10")),
    Program("mass_exits", "The end of many children", ("9", "1000"), ("9", "50")),
    Program("child_waits", "What a wait takes from the heap", ("1000",), ("100",)),
)
