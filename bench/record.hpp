// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_RECORD_HPP
#define LOOPS_BENCH_RECORD_HPP

#include <cstddef>
#include <optional>
#include <string>

namespace measure {

/// The median of many values, and the interval that holds the true one with 96% confidence.
struct estimate
{
    double median = 0;
    double low = 0;
    double high = 0;
};

/// Which of two figures is the better one.
enum class better
{
    less,
    more
};

/// A result as tools/bench gets it, beside what is printed.
struct record
{
    /// What else is in the table is compared with it.
    std::string table;
    std::string name;
    /// What was measured, in words: "CPU time".
    std::string what;
    std::string unit;
    /// 0: it was counted, not measured.
    std::size_t rounds = 0;
    estimate figure;
    /// To the figure of the table's first; nothing where these did not take turns.
    std::optional<estimate> ratio;
    better which = better::less;
};

/// One line of JSON, without its end. The program is named, too.
std::string to_json(const record& of);

/// Appends such a line to the file that LOOPS_BENCH_JSON names, where that is set.
/// @throws std::runtime_error where it cannot be written.
void write(const record& what);

} // namespace measure

#endif
