// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_FOREIGN_UV_UV_GUEST_HPP
#define LOOPS_SRC_FOREIGN_UV_UV_GUEST_HPP

#include <loops/loop_guest.hpp>

#include <chrono>
#include <optional>

#include <uv.h>

namespace loops_foreign {

// A loop of libuv's that is run along with another one.
class uv_loop : public loops::loop_guest
{
public:
    // It stays its owner's, who keeps it as long as this lives.
    explicit uv_loop(uv_loop_t* loop) noexcept : loop_(loop) {}

    uv_loop_t* get() const noexcept { return loop_; }

    bool run_ready() override;
    std::optional<std::chrono::milliseconds> prepare() override;
    int native_handle() const override { return uv_backend_fd(loop_); }
    bool has_work() const override { return uv_loop_alive(loop_) != 0; }

private:
    uv_loop_t* const loop_;
};

} // namespace loops_foreign

#endif
