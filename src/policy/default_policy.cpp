// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/default_policy.hpp>

#include "detail/policy_core.hpp"
#include "detail/thread_slots.hpp"
#include "platform/system.hpp"

#include <typeinfo>

namespace loops {
inline namespace LOOPS_ABI {

default_policy::default_policy(creation where)
    : where_(where), slots_(std::make_unique<detail::thread_slots>())
{}

default_policy::~default_policy()
{
    if (!core()->retired)
        slots_->close();
}

std::string default_policy::name() const
{
    return "default";
}

asio::io_context& default_policy::get_event_loop()
{
    check_open("asking for the current loop");
    detail::thread_slots::maker make;
    if (where_ == creation::every_thread ||
        (where_ == creation::main_thread && platform::on_main_thread()))
        make = [this] { return make_loop(); };
    asio::io_context* const loop = slots_->find_or_make(make);
    if (loop == nullptr)
        detail::throw_error(error::no_current_event_loop,
            "asking policy '" + name() + "' for the current loop of " +
                platform::describe_thread() + "; set one with set_event_loop()");
    return *loop;
}

asio::io_context* default_policy::existing_event_loop() noexcept
{
    return slots_->find();
}

void default_policy::set_event_loop(asio::io_context* loop)
{
    check_open("setting the current loop");
    slots_->set(loop);
}

void default_policy::close()
{
    slots_->check_none_runs();
    event_loop_policy::close();
    slots_->close();
}

bool default_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(default_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
