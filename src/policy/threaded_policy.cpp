// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/threaded_policy.hpp>

#include "detail/crew.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/thread_slots.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <boost/asio/steady_timer.hpp>

#include <typeinfo>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

threaded_policy::threaded_policy() : slots_(std::make_unique<detail::thread_slots>()) {}

threaded_policy::~threaded_policy()
{
    std::vector<std::unique_ptr<event_loop>> loops;
    if (!core()->retired)
        loops = slots_->release();
    detail::tear_down(core(), std::move(loops));
}

std::string threaded_policy::name() const
{
    return "threaded";
}

std::unique_ptr<event_loop> threaded_policy::new_event_loop()
{
    check_open("making a loop");
    std::unique_ptr<event_loop> loop = make_loop();
    // Brings Asio's reactor, so that the thread waits there: a condition variable that the parent's
    // thread waits for cannot be destroyed in a forked child, and its owner may destroy the loop.
    const asio::steady_timer reactor(*loop);
    const auto threads = core()->threads();
    threads->keep_running(*loop, {loop->name(), {}, {}, {}});
    detail::loop_access::give_to(*loop, threads);
    return loop;
}

std::unique_ptr<event_loop> threaded_policy::new_callers_loop()
{
    check_open("making a loop");
    return make_loop();
}

asio::io_context& threaded_policy::get_event_loop()
{
    check_open("asking for the current loop");
    // A background thread's own loop: asking there must not start a thread for the thread.
    if (core()->threads()->inside())
        return *detail::recorded_running_loop();
    asio::io_context* const loop = slots_->find_or_make([this] { return new_event_loop(); });
    if (loop == nullptr)
        detail::throw_error(error::no_current_event_loop,
            "asking policy '" + name() + "' for the current loop of " +
                platform::describe_thread() + "; set one with set_event_loop()");
    return *loop;
}

asio::io_context* threaded_policy::existing_event_loop() noexcept
{
    return core()->threads()->inside() ? detail::recorded_running_loop() : slots_->find();
}

void threaded_policy::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    if (core()->threads()->inside())
        detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "setting the current loop of " + platform::describe_thread() + ", which policy '" +
                name() + "' made to run the loop it has");
    slots_->set(loop);
}

void threaded_policy::for_each_loop(const std::function<void(asio::io_context&)>& visit)
{
    get_event_loop();
    for (const auto& each : slots_->all())
    {
        if (asio::io_context* const loop = each->context())
            visit(*loop);
    }
}

void threaded_policy::start()
{
    check_open("starting the policy");
    core()->threads()->restart();
    if (!core()->threads()->busy())
        get_event_loop();
}

void threaded_policy::run_started(std::uint64_t)
{
    join();
}

void threaded_policy::close()
{
    slots_->check_none_runs();
    event_loop_policy::close();
    slots_->close();
}

bool threaded_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(threaded_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
