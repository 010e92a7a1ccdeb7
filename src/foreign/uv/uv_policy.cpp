// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/foreign/uv_policy.hpp>
#include <loops/policy/default_policy.hpp>

#include "foreign/uv/uv_guest.hpp"

#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

void close_handle(uv_handle_t* handle, void*)
{
    if (uv_is_closing(handle) == 0)
        uv_close(handle, nullptr);
}

struct end_loop
{
    void operator()(uv_loop_t* loop) const
    {
        uv_walk(loop, &close_handle, nullptr);
        uv_run(loop, UV_RUN_DEFAULT); // until they are closed
        uv_loop_close(loop);
        delete loop;
    }
};
using loop_pointer = std::unique_ptr<uv_loop_t, end_loop>;

loop_pointer make_loop()
{
    auto made = std::make_unique<uv_loop_t>();
    const int code = uv_loop_init(made.get());
    if (code != 0)
        detail::throw_error(
            error_code(-code, boost::system::system_category()), "making a loop of libuv's");
    return loop_pointer(made.release());
}

class own_uv_loop final : private loop_pointer, public loops_foreign::uv_loop
{
public:
    own_uv_loop() : loop_pointer(make_loop()), uv_loop(loop_pointer::get()) {}
};

} // namespace

uv_policy::uv_policy() : uv_policy(std::make_shared<default_policy>()) {}

uv_policy::uv_policy(std::shared_ptr<event_loop_policy> inner)
    : guest_policy(
          "uv", [](asio::io_context&) { return std::make_shared<own_uv_loop>(); }, std::move(inner))
{}

uv_policy::~uv_policy() = default;

uv_loop_t* uv_policy::uv_loop_of(asio::io_context& loop)
{
    return static_cast<loops_foreign::uv_loop&>(*guest_of(loop)).get();
}

} // namespace LOOPS_ABI
} // namespace loops
