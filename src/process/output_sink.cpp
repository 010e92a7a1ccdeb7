// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/output_sink.hpp"

#include <algorithm>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

output_sink::output_sink(std::size_t most, line_function on_line)
    : most_(most), on_line_(std::move(on_line))
{}

void output_sink::take(std::string_view data)
{
    if (on_line_)
    {
        kept_.append(data);
        return tell_lines();
    }
    const std::size_t room = most_ - kept_.size();
    const std::size_t fits = std::min(room, data.size());
    kept_.append(data.substr(0, fits));
    dropped_ += data.size() - fits;
}

// A line whose function throws is gone; those behind it are told with what comes next.
void output_sink::tell_lines()
{
    const std::size_t longest = std::max<std::size_t>(most_, 1);
    for (;;)
    {
        const std::string_view rest = std::string_view(kept_).substr(told_);
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos && rest.size() <= longest)
            break;
        const std::string line(rest.substr(0, std::min(end, longest)));
        told_ += line.size() + (end <= longest ? 1 : 0);
        on_line_(line);
    }
    kept_.erase(0, std::exchange(told_, 0));
}

void output_sink::end()
{
    if (!on_line_)
        return;
    tell_lines();
    if (const std::string last = std::exchange(kept_, {}); !last.empty())
        on_line_(last);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
