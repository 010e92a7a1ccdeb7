// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_OUTPUT_SINK_HPP
#define LOOPS_SRC_PROCESS_OUTPUT_SINK_HPP

#include <loops/config.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Where the output of a process goes: its beginning is kept, and the rest counted; or it is told line by line.
class output_sink
{
public:
    using line_function = std::function<void(std::string_view)>;

    output_sink(std::size_t most, line_function on_line);

    void take(std::string_view data);

    // There is no more: a last line without an end is one.
    void end();

    std::string& kept() noexcept { return kept_; }
    std::uint64_t dropped() const noexcept { return dropped_; }

private:
    void tell_lines();

    const std::size_t most_;
    const line_function on_line_;
    std::string kept_;     // or, of lines, what was not told yet,
    std::size_t told_ = 0; // from here on
    std::uint64_t dropped_ = 0;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
