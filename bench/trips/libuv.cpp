// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "loop_threads.hpp"

#include <uv.h>

namespace trips {
namespace {

class uv_wakes
{
public:
    uv_wakes()
    {
        uv_loop_init(&loop_);
        uv_async_init(&loop_, &async_, [](uv_async_t* async) {
            const auto self = static_cast<uv_wakes*>(async->data);
            if (self->stopped_)
                uv_close(reinterpret_cast<uv_handle_t*>(async), nullptr);
            else
                self->woken();
        });
        async_.data = this;
    }
    uv_wakes(const uv_wakes&) = delete;
    uv_wakes& operator=(const uv_wakes&) = delete;
    ~uv_wakes() { uv_loop_close(&loop_); }

    void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
    void wake() { uv_async_send(&async_); }
    void stop()
    {
        stopped_ = true;
        wake();
    }

    std::function<void()> woken;

private:
    uv_loop_t loop_{};
    uv_async_t async_{};
    std::atomic<bool> stopped_{false};
};

} // namespace

void add_libuv(std::vector<setting>& all)
{
    all.push_back({"libuv", [] { return std::make_unique<loop_threads<uv_wakes>>(); }});
}

} // namespace trips
