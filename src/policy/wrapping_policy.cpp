// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/policy/wrapping_policy.hpp>

#include "detail/policy_core.hpp"

#include <boost/system/errc.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

const std::shared_ptr<event_loop_policy>& checked(const std::shared_ptr<event_loop_policy>& inner)
{
    if (!inner)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "wrapping a null policy; give one that maps to loops, such as a pool_policy");
    return inner;
}

} // namespace

wrapping_policy::wrapping_policy(std::shared_ptr<event_loop_policy> inner)
    : event_loop_policy(checked(inner)->core()), inner_(std::move(inner))
{}

wrapping_policy::~wrapping_policy() = default;

asio::io_context& wrapping_policy::get_event_loop()
{
    return inner_->get_event_loop();
}

asio::io_context* wrapping_policy::existing_event_loop() noexcept
{
    return inner_->existing_event_loop();
}

void wrapping_policy::set_event_loop(asio::io_context* loop)
{
    inner_->set_event_loop(loop);
}

std::unique_ptr<event_loop> wrapping_policy::new_event_loop()
{
    return inner_->new_event_loop();
}

asio::io_context& wrapping_policy::select_event_loop(const selection& what)
{
    return inner_->select_event_loop(what);
}

void wrapping_policy::for_each_loop(const std::function<void(asio::io_context&)>& visit)
{
    inner_->for_each_loop(visit);
}

void wrapping_policy::set_loop_factory(loop_factory factory)
{
    inner_->set_loop_factory(std::move(factory));
}

task_factory wrapping_policy::get_task_factory() const
{
    return inner_->get_task_factory();
}

std::shared_ptr<child_watcher> wrapping_policy::get_child_watcher()
{
    return inner_->get_child_watcher();
}

void wrapping_policy::set_child_watcher(std::shared_ptr<child_watcher> watcher)
{
    inner_->set_child_watcher(std::move(watcher));
}

void wrapping_policy::start()
{
    inner_->start();
}

void wrapping_policy::stop()
{
    inner_->stop();
}

void wrapping_policy::join()
{
    inner_->join();
}

drain_report wrapping_policy::drain(std::chrono::nanoseconds limit)
{
    return inner_->drain(limit);
}

void wrapping_policy::close()
{
    inner_->close();
}

void wrapping_policy::run_started(std::uint64_t since)
{
    inner_->run_started(since);
}

std::unique_ptr<event_loop> wrapping_policy::new_callers_loop()
{
    return inner_->new_callers_loop();
}

bool wrapping_policy::current_is_thread_bound() const noexcept
{
    return inner_->current_is_thread_bound();
}

} // namespace LOOPS_ABI
} // namespace loops
