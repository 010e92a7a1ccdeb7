// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/pidfd_support.hpp"

#include "detail/fork.hpp"
#include "platform/linux/pidfd.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// What is known; it does not change.
struct findings
{
    fork_mutex mutex;
    std::optional<std::string> why;
};

findings& found()
{
    static findings& it = *new findings;
    return it;
}

} // namespace

const char* why_no_pidfds() noexcept
{
    if (!platform::may_use_pidfds())
        return "LOOPS_NO_PIDFD is set";
    try
    {
        const std::lock_guard lock(found().mutex);
        if (!found().why)
            found().why = platform::why_no_pidfds();
        // What cannot be told now may be tried.
        return !found().why || found().why->empty() ? nullptr : found().why->c_str();
    }
    catch (...) // no memory
    {
        return nullptr;
    }
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
