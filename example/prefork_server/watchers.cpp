// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "watchers.hpp"

#include <loops/child_watcher.hpp>
#include <loops/policy.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>

#include "options.hpp"

#include <memory>

namespace prefork {

std::string watcher_names()
{
    return "default, pidfd";
}

void check_watcher(const std::string& name)
{
    if (name != "default" && name != "pidfd")
        throw usage_error(
            "option '--watcher': expected one of " + watcher_names() + ", found '" + name + "'");
    if (name == "pidfd" && !loops::pidfd_child_watcher::is_supported())
        throw usage_error("option '--watcher': this system does not let pidfds be used");
}

void install_watcher(const std::string& name)
{
    if (name == "pidfd")
        loops::set_child_watcher(std::make_shared<loops::pidfd_child_watcher>());
}

} // namespace prefork
