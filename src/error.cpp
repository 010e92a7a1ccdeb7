// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>

#include <boost/system/errc.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

class LOOPS_VISIBLE category final : public error_category
{
public:
    // The number stands for the category where two shared objects each hold a copy of it.
    constexpr category() noexcept : error_category(0x6c6f6f7073ULL) {}

    const char* name() const noexcept override { return "loops"; }

    std::string message(int value) const override
    {
        switch (static_cast<error>(value))
        {
        case error::no_current_event_loop:
            return "no current event loop for this thread; set one with set_event_loop()";
        case error::no_running_event_loop: return "no event loop is running on this thread";
        case error::already_running: return "it is running already";
        case error::loop_closed: return "the event loop is closed";
        case error::policy_closed: return "the event loop policy is closed or draining";
        case error::backend_unavailable: return "this build does not hold that Asio backend";
        case error::queue_full: return "the queue of waiting tasks is full";
        case error::forked: return "the object belongs to the parent of this forked process";
        case error::not_a_child: return "no such child of this process";
        case error::child_status_lost: return "the child's exit status was lost to somebody else";
        case error::watcher_inactive: return "the child watcher is not attached to a loop";
        case error::watcher_closed: return "the child watcher is closed";
        case error::restart_limit: return "the workers had to be restarted too often";
        case error::worker_failed: return "a worker's new process failed before it was ready";
        case error::supervisor_not_running: return "the supervisor does not run";
        }
        return "unknown loops error";
    }

    error_condition default_error_condition(int value) const noexcept override
    {
        namespace errc = boost::system::errc;
        switch (static_cast<error>(value))
        {
        case error::backend_unavailable:
            return errc::make_error_condition(errc::operation_not_supported);
        case error::queue_full:
            return errc::make_error_condition(errc::resource_unavailable_try_again);
        case error::not_a_child: return errc::make_error_condition(errc::no_child_process);
        default: return error_condition(value, *this);
        }
    }
};

constexpr category the_category;

} // namespace

const error_category& loops_category() noexcept
{
    return the_category;
}

namespace detail {

void throw_error(error_code ec, const std::string& what)
{
    throw system_error(ec, what);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
