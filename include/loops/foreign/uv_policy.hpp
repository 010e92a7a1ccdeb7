// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_FOREIGN_UV_POLICY_HPP
#define LOOPS_FOREIGN_UV_POLICY_HPP

#include <loops/foreign/uv.hpp>
#include <loops/policy/guest_policy.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

/// A policy whose loops run a `uv_loop_t` each, besides: see @ref uv_guest.
///
/// All else is the wrapped policy's, which has to run each of its loops by one thread. Link with `loops_uv`.
class LOOPS_VISIBLE uv_policy : public guest_policy
{
public:
    /// Wraps a default_policy.
    uv_policy();

    /// @throws system_error with `invalid_argument` for a null policy.
    explicit uv_policy(std::shared_ptr<event_loop_policy> inner);

    ~uv_policy() override;

    /// The loop of libuv's that a loop runs, which gets one now if it has none. It lives as long as the loop; the
    /// handles that it has by then are closed with it.
    uv_loop_t* uv_loop_of(asio::io_context& loop);
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
