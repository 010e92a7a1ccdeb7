// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/threaded_policy.hpp>

#include "detail/crew.hpp"
#include "detail/loop_access.hpp"
#include "detail/policy_core.hpp"
#include "detail/thread_slots.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <typeinfo>

namespace loops {
inline namespace LOOPS_ABI {

threaded_policy::threaded_policy() : slots_(std::make_unique<detail::thread_slots>()) {}

threaded_policy::~threaded_policy()
{
    detail::tear_down(core(), slots_->release());
}

std::string threaded_policy::name() const
{
    return "threaded";
}

std::unique_ptr<event_loop> threaded_policy::new_event_loop()
{
    check_open("making a loop");
    std::unique_ptr<event_loop> loop = make_loop();
    start_thread(*loop);
    detail::loop_access::give_to(*loop, core()->threads);
    return loop;
}

std::unique_ptr<event_loop> threaded_policy::new_callers_loop()
{
    check_open("making a loop");
    return make_loop();
}

void threaded_policy::start_thread(event_loop& loop)
{
    core()->threads->start(loop, {loop.name(), {}, {}, {}});
}

asio::io_context& threaded_policy::get_event_loop()
{
    check_open("asking for the current loop");
    // A background thread's own loop: asking there must not start a thread for the thread.
    if (core()->threads->inside())
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
    return core()->threads->inside() ? detail::recorded_running_loop() : slots_->find();
}

void threaded_policy::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    if (core()->threads->inside())
        detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "setting the current loop of " + platform::describe_thread() + ", which policy '" +
                name() + "' made to run the loop it has");
    slots_->set(loop);
}

void threaded_policy::start()
{
    check_open("starting the policy");
    // Loops whose threads an earlier stop or drain has ended.
    if (!core()->threads->busy())
        slots_->for_each([this](event_loop& loop) { start_thread(loop); });
    if (!core()->threads->busy())
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

void threaded_policy::retire() noexcept
{
    slots_->leave_to_threads();
}

} // namespace LOOPS_ABI
} // namespace loops
