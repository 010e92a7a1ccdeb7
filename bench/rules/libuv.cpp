// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "rules.hpp"

#include <uv.h>

namespace rules {
namespace {

word own_loop()
{
    uv_loop_t* const here = uv_default_loop();
    return yes_or(here != elsewhere([] { return uv_default_loop(); }), "one for all");
}

word early_stop()
{
    uv_loop_t loop;
    uv_timer_t timer;
    bool ran = false;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    timer.data = &ran;
    uv_timer_start(
        &timer, [](uv_timer_t* it) { *static_cast<bool*>(it->data) = true; }, 1, 0);
    uv_stop(&loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    const bool early = ran;
    uv_run(&loop, UV_RUN_DEFAULT);
    return yes_or(!early && ran, early ? "it is lost" : "it sticks");
}

word close_running()
{
    uv_loop_t loop;
    uv_timer_t timer;
    int result = 0;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    timer.data = &result;
    uv_timer_start(
        &timer, [](uv_timer_t* it) { *static_cast<int*>(it->data) = uv_loop_close(it->loop); }, 0,
        0);
    uv_run(&loop, UV_RUN_DEFAULT);
    return yes_or(result == UV_EBUSY, "it is closed");
}

word pending()
{
    uv_loop_t loop;
    uv_timer_t timer;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    uv_timer_start(
        &timer, [](uv_timer_t*) {}, 1000, 0);
    return yes_or(uv_loop_close(&loop) == 0, "the loop refuses to be closed");
}

} // namespace

const subject of_libuv = {"libuv", own_loop, nullptr, early_stop, close_running, pending, nullptr,
    nullptr, nullptr, nullptr};

} // namespace rules
