// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "loop_threads.hpp"

#include <ev.h>

namespace trips {
namespace {

class ev_wakes
{
public:
    ev_wakes()
    {
        ev_async_init(&async_, &on_wake);
        async_.data = this;
        ev_async_start(loop_, &async_);
    }
    ev_wakes(const ev_wakes&) = delete;
    ev_wakes& operator=(const ev_wakes&) = delete;
    ~ev_wakes() { ev_loop_destroy(loop_); }

    void run() { ev_run(loop_, 0); }
    void wake() { ev_async_send(loop_, &async_); }
    void stop()
    {
        stopped_ = true;
        wake();
    }

    std::function<void()> woken;

private:
    static void on_wake(struct ev_loop* loop, ev_async* async, int)
    {
        const auto self = static_cast<ev_wakes*>(async->data);
        if (self->stopped_)
            ev_async_stop(loop, async);
        else
            self->woken();
    }

    struct ev_loop* const loop_ = ev_loop_new(0);
    ev_async async_{};
    std::atomic<bool> stopped_{false};
};

} // namespace

void add_libev(std::vector<setting>& all)
{
    all.push_back({"libev", [] { return std::make_unique<loop_threads<ev_wakes>>(); }});
}

} // namespace trips
