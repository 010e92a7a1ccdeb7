// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_INFO_FACTS_HPP
#define LOOPS_INFO_FACTS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace loops_info {

/// Something that this machine may offer, and why it does not.
struct feature
{
    std::string name;
    std::string what_for;
    /// Empty: it works.
    std::string why_not;
};

/// A limit of the system's; nothing: there is none.
struct limit
{
    std::string name;
    std::optional<std::uint64_t> value;
    std::string source;
};

/// What this build of Loops is, and what it finds here.
struct facts
{
    std::string version;
    std::string boost_version;
    std::string asio_backend;
    std::string compiler;
    long cxx_standard = 0;

    std::vector<unsigned> allowed_cpus;
    std::optional<double> cpu_quota;
    std::size_t parallelism = 0;

    std::string policy;
    std::string policy_source;
    std::string watcher;
    std::string watcher_reason;

    std::vector<feature> features;
    std::vector<limit> limits;
    /// What will bite, in words.
    std::vector<std::string> warnings;
};

facts find_facts();

} // namespace loops_info

#endif
