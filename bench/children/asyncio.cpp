// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "host_subject.hpp"
#include "python.hpp"

#include <memory>
#include <string>

namespace children {
namespace {

void add(std::vector<kind>& all, const std::string& name, const std::string& watcher)
{
    const bool starts = watcher == "uvloop"; // starting and watching are one there
    all.push_back(
        {name, [watcher, starts](const setup& before) -> std::unique_ptr<subject> {
             const auto command = python("asyncio_host.py",
                 {watcher, beside("child_helper"), before.counts_signals ? "counts" : ""});
             return std::make_unique<host_subject>(command, starts);
         }});
}

} // namespace

void add_asyncio(std::vector<kind>& all)
{
    if (!has_python())
        return;
    for (const std::string name : {"Pidfd", "Threaded", "MultiLoop", "Safe", "Fast"})
        add(all, "asyncio " + name, name + "ChildWatcher");
    if (has_uvloop())
        add(all, "uvloop", "uvloop");
}

} // namespace children
