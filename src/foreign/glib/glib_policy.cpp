// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/foreign/glib_policy.hpp>
#include <loops/policy/default_policy.hpp>

#include "foreign/glib/glib_guest.hpp"

#include <atomic>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

// The first has the default context.
guest_policy::guest_function makes_guests()
{
    return [is_first = std::make_shared<std::atomic<bool>>(true)](asio::io_context&) {
        auto context = is_first->exchange(false)
                           ? loops_foreign::hold(nullptr)
                           : loops_foreign::context_pointer(g_main_context_new());
        return std::make_shared<loops_foreign::glib_context>(std::move(context), false);
    };
}

} // namespace

glib_policy::glib_policy() : glib_policy(std::make_shared<default_policy>()) {}

glib_policy::glib_policy(std::shared_ptr<event_loop_policy> inner)
    : guest_policy("glib", makes_guests(), std::move(inner))
{}

glib_policy::~glib_policy() = default;

GMainContext* glib_policy::context_of(asio::io_context& loop)
{
    return static_cast<loops_foreign::glib_context&>(*guest_of(loop)).get();
}

} // namespace LOOPS_ABI
} // namespace loops
