// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Each rule is tried by tokio_host, which stands beside this program and prints its word. A runtime is
// borrowed where it is current, so it cannot go meanwhile; and it has no function that stops it.

#include "rules.hpp"

#include <filesystem>

namespace rules {
namespace {

word tokio(const char* rule)
{
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    return said_by("'" + (here / "tokio_host").string() + "' rule " + rule, "tokio_host fails");
}

} // namespace

const subject of_tokio{"tokio", [] { return tokio("own_loop"); }, nullptr, nullptr,
    [] { return tokio("close_running"); }, [] { return tokio("pending"); },
    [] { return tokio("restores"); }, [] { return tokio("in_fork"); }, [] { return tokio("day"); },
    [] { return tokio("taken"); }};

} // namespace rules
