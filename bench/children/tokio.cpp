// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "host_subject.hpp"

#include <memory>
#include <string>
#include <vector>

namespace children {

void add_tokio(std::vector<kind>& all)
{
    all.push_back({"tokio", [](const setup& before) -> std::unique_ptr<subject> {
                       const std::vector<std::string> command{beside("tokio_host"),
                           beside("child_helper"), before.counts_signals ? "counts" : ""};
                       return std::make_unique<host_subject>(command, true);
                   }});
}

} // namespace children
