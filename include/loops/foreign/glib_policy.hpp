// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_FOREIGN_GLIB_POLICY_HPP
#define LOOPS_FOREIGN_GLIB_POLICY_HPP

#include <loops/foreign/glib.hpp>
#include <loops/policy/guest_policy.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

/// A policy whose loops run a `GMainContext` each, besides: see @ref glib_guest.
///
/// The first loop that it gives out has GLib's default context, where most of what uses GLib is; each other one a context of its own,
/// which is the default inside of callbacks of that thread. A run ends for want of work of the loop's own, whatever GLib waits for.
///
/// All else is the wrapped policy's, which has to run each of its loops by one thread. Link with `loops_glib`.
class LOOPS_VISIBLE glib_policy : public guest_policy
{
public:
    /// Wraps a default_policy.
    glib_policy();

    /// @throws system_error with `invalid_argument` for a null policy.
    explicit glib_policy(std::shared_ptr<event_loop_policy> inner);

    ~glib_policy() override;

    /// The context that a loop runs, which gets one now if it has none. It lives as long as the loop.
    GMainContext* context_of(asio::io_context& loop);
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
