// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "foreign/uv/uv_guest.hpp"

#include <loops/error.hpp>
#include <loops/foreign/uv.hpp>

#include <boost/system/errc.hpp>

#include <cstring>
#include <memory>

namespace loops_foreign {
namespace {

// Whether descriptors that were to be watched are not in libuv's epoll yet: it puts them there when it is about to
// look, and callbacks of that look may have started others. No function tells; the queue is a ring of pointers, empty where the
// first one leads to itself, in all versions 1.x.
bool has_unwatched(const uv_loop_t& loop)
{
    const void* next = nullptr;
    static_assert(sizeof loop.watcher_queue >= sizeof next);
    std::memcpy(&next, &loop.watcher_queue, sizeof next);
    return next != &loop.watcher_queue;
}

// While it is alive, libuv looks at what is not referenced as well; else it does nothing at all.
class kept_alive
{
public:
    explicit kept_alive(uv_loop_t& loop) noexcept : loop_(loop) { ++loop_.active_handles; }
    kept_alive(const kept_alive&) = delete;
    kept_alive& operator=(const kept_alive&) = delete;
    ~kept_alive() { --loop_.active_handles; }

private:
    uv_loop_t& loop_;
};

} // namespace

bool uv_loop::run_ready()
{
    const kept_alive alive(*loop_);
    uv_run(loop_, UV_RUN_NOWAIT);
    return has_unwatched(*loop_);
}

std::optional<std::chrono::milliseconds> uv_loop::prepare()
{
    const kept_alive alive(*loop_);
    if (has_unwatched(*loop_))
        return std::chrono::milliseconds(0);
    uv_update_time(loop_);
    const int timeout = uv_backend_timeout(loop_);
    return timeout < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(timeout));
}

} // namespace loops_foreign

namespace loops {
inline namespace LOOPS_ABI {

struct uv_guest::impl
{
    const std::shared_ptr<loops_foreign::uv_loop> guest;
};

uv_guest::uv_guest(asio::io_context& loop, uv_loop_t* uv) : loop_(loop)
{
    if (uv == nullptr)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "running a null loop of libuv's; give uv_default_loop(), or one of your own");
    impl_ = std::make_unique<impl>(impl{std::make_shared<loops_foreign::uv_loop>(uv)});
    add_guest(loop_, impl_->guest);
}

uv_guest::~uv_guest()
{
    remove_guest(loop_, *impl_->guest);
}

uv_loop_t* uv_guest::native_loop() const noexcept
{
    return impl_->guest->get();
}

} // namespace LOOPS_ABI
} // namespace loops
