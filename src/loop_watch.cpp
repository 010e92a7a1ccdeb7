// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/loop_watch.hpp>

#include "detail/loop_probe.hpp"
#include "detail/loop_record.hpp"
#include "detail/loop_watcher.hpp"

#include <boost/system/errc.hpp>

#include <cmath>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

std::string_view meaning_of(loop_blockage cause)
{
    switch (cause)
    {
    case loop_blockage::busy_handler: return "a handler is busy";
    case loop_blockage::blocking_call: return "a handler sleeps";
    case loop_blockage::starved: return "its thread gets no CPU";
    case loop_blockage::throttled: return "its thread is held up by a CPU quota";
    case loop_blockage::flooded_queue: return "its queue is flooded";
    case loop_blockage::not_run: return "it has work, and nobody runs it";
    }
    return {};
}

std::string percent(double part)
{
    return std::to_string(std::lround(part * 100)) + "%";
}

std::string describe(const loop_report::thread& it)
{
    std::string text = "thread '" + it.name + "' (" + std::to_string(it.id) + ')';
    if (it.cause == loop_blockage::blocking_call)
        text += it.system_call.empty() ? " in no system call" : " in " + it.system_call;
    text += ", " + percent(it.on_cpu) + " on a CPU";
    if (percent(it.waiting) != "0%")
        text += ", " + percent(it.waiting) + " waiting for one";
    return text;
}

} // namespace

std::string_view to_string(loop_blockage cause) noexcept
{
    switch (cause)
    {
    case loop_blockage::busy_handler: return "busy_handler";
    case loop_blockage::blocking_call: return "blocking_call";
    case loop_blockage::starved: return "starved";
    case loop_blockage::throttled: return "throttled";
    case loop_blockage::flooded_queue: return "flooded_queue";
    case loop_blockage::not_run: return "not_run";
    }
    return {};
}

std::string loop_report::text() const
{
    std::string text = loop + " has not answered for " +
                       std::to_string(blocked_for / std::chrono::milliseconds(1)) +
                       " ms: " + std::string(meaning_of(cause)) +
                       "; work left: " + std::to_string(work);
    for (const thread& each : threads)
        text += "; " + describe(each);
    for (const thread& each : threads)
    {
        if (threads.size() > 1 && !each.stack.empty())
            text += "\n  thread " + std::to_string(each.id);
        std::size_t number = 0;
        for (const std::string& frame : each.stack)
            text += "\n  #" + std::to_string(number++) + ' ' + frame;
        if (!each.no_stack.empty())
            text += "\n  no stack of thread " + std::to_string(each.id) + ": " + each.no_stack;
    }
    return text;
}

struct loop_watch::impl
{
    std::shared_ptr<detail::watch> it;
};

loop_watch::loop_watch(asio::io_context& loop, loop_watch_options options)
    : impl_(std::make_unique<impl>())
{
    const auto record = detail::record_of(loop);
    bool can_be = false;
    if (!record->while_alive([&](asio::io_context& it) { can_be = detail::can_be_probed(it); }))
        detail::throw_error(error::loop_closed, "watching " + record->describe());
    if (!can_be)
        detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "watching " + record->describe() +
                ", whose concurrency hint forbids other threads to use it");
    impl_->it = detail::begin_watch({record, nullptr}, std::move(options));
}

loop_watch::~loop_watch()
{
    detail::end_watch(std::move(impl_->it));
}

} // namespace LOOPS_ABI
} // namespace loops
