// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/log.hpp"

#include <loops/log.hpp>

#include "detail/fork.hpp"

#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

struct hook_holder
{
    detail::fork_mutex mutex;
    std::shared_ptr<const log_hook> hook;
};

// Never destroyed: loops that die during static destruction may still have something to say.
hook_holder& holder()
{
    static hook_holder& it = *new hook_holder;
    return it;
}

} // namespace

log_hook set_log_hook(log_hook hook)
{
    auto fresh = hook ? std::make_shared<const log_hook>(std::move(hook)) : nullptr;
    {
        const std::lock_guard lock(holder().mutex);
        holder().hook.swap(fresh);
    }
    return fresh ? *fresh : log_hook();
}

namespace detail {

void log(std::string_view message) noexcept
{
    std::shared_ptr<const log_hook> hook;
    {
        const std::lock_guard lock(holder().mutex);
        hook = holder().hook;
    }
    if (hook)
        (*hook)(message);
    else
        std::fprintf(stderr, "loops: %.*s\n", static_cast<int>(message.size()), message.data());
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
