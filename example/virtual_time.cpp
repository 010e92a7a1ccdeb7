// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Tests code that waits for hours, in no time: a call that is tried again, each time after twice as long.

#include <loops/loop_clock.hpp>
#include <loops/policy/virtual_time_policy.hpp>
#include <loops/run.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>

namespace {

using namespace std::chrono_literals;

// What is tested. It knows nothing of the test, but waits by a loop_timer.
class retry
{
public:
    retry(boost::asio::io_context& loop, std::function<bool()> call)
        : timer_(loop), call_(std::move(call))
    {}

    void start()
    {
        if (call_())
            return;
        timer_.expires_after(pause_);
        pause_ *= 2;
        timer_.async_wait([this](loops::error_code ec) {
            if (!ec)
                start();
        });
    }

private:
    loops::loop_timer timer_;
    const std::function<bool()> call_;
    std::chrono::seconds pause_ = 1s;
};

bool gives_up_after_hours()
{
    const loops::policy_scope scope(std::make_shared<loops::virtual_time_policy>());
    const auto begin = loops::loop_clock::now();
    const auto really = std::chrono::steady_clock::now();
    int calls = 0;
    retry it(loops::get_event_loop(), [&] { return ++calls == 17; });
    it.start();
    loops::run_loop(loops::get_event_loop());

    const std::chrono::duration<double, std::ratio<3600>> hours = loops::loop_clock::now() - begin;
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - really;
    std::cout << calls << " calls in " << hours.count() << " hours, which took " << ms.count()
              << " ms\n";
    return calls == 17 && hours > 18h;
}

} // namespace

int main()
{
    try
    {
        return gives_up_after_hours() ? 0 : 1;
    }
    catch (const std::exception& e)
    {
        std::cerr << "virtual_time: " << e.what() << std::endl;
        return 1;
    }
}
