// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/group_core.hpp"

#include <loops/child_watcher.hpp>
#include <loops/policy.hpp>

#include "process/ending.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
group_core::group_core(asio::io_context& loop, group_options options)
    : loop_(loop),
      executor_(asio::make_strand(loop)),
      options_(std::move(options)),
      watcher_(options_.watcher ? options_.watcher : get_child_watcher())
{
    if (!is_valid(options_.stop))
        throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making a group of processes with a ladder that has no rung, or one without a signal");
}

void group_core::run(command what, run_handler handler)
{
    // Made here: what cannot be had is told to the caller.
    const auto fresh = std::make_shared<members>();
    fresh->push_back({end_wait(++last_id_, std::move(handler)), std::move(what), nullptr});
    fresh->front().end.connect(weak_from_this());
    asio::post(executor_, [self = shared_from_this(), fresh] {
        self->queue_.splice(self->queue_.end(), *fresh);
        self->start_ready();
    });
}

void group_core::wait_all(all_handler handler)
{
    add_wait(std::move(handler), &group_core::all_waits_);
}

void group_core::wait_any(run_handler handler)
{
    add_wait(std::move(handler), &group_core::any_waits_);
}

template <class Wait>
void group_core::add_wait(typename Wait::handler_type handler, std::list<Wait> group_core::*waits)
{
    const auto fresh = std::make_shared<std::list<Wait>>();
    fresh->emplace_back(++last_id_, std::move(handler));
    fresh->front().connect(weak_from_this());
    asio::post(executor_, [self = shared_from_this(), fresh, waits] {
        auto& all = (*self).*waits;
        all.splice(all.end(), *fresh);
        self->tell_if_idle();
    });
}

void group_core::stop()
{
    asio::post(executor_, [self = shared_from_this()] {
        for (member& each : self->queue_)
            std::move(each.end).complete(self->loop_executor(),
                make_error_code(asio::error::operation_aborted), child_exit());
        self->queue_.clear();
        self->recount();
        for (member& each : self->alive_)
            each.process->stop(self->options_.stop);
        self->tell_if_idle();
    });
}

void group_core::cancel(std::uint64_t id)
{
    asio::post(executor_, [self = shared_from_this(), id] { self->end_wait_of(id); });
}

void group_core::end_wait_of(std::uint64_t id)
{
    const auto is_it = [id](const member& each) { return each.end.id() == id; };
    const auto queued = std::find_if(queue_.begin(), queue_.end(), is_it);
    const auto living = std::find_if(alive_.begin(), alive_.end(), is_it);
    const auto aborted = make_error_code(asio::error::operation_aborted);
    if (queued != queue_.end())
    {
        std::move(queued->end).complete(loop_executor(), aborted, child_exit());
        queue_.erase(queued);
        recount();
        tell_if_idle();
    }
    else if (living != alive_.end())
    {
        living->process->stop(options_.stop);
    }
    auto for_all = take_wait(all_waits_, id);
    auto for_any = take_wait(any_waits_, id);
    complete_all(for_all, loop_executor(), aborted);
    complete_all(for_any, loop_executor(), aborted, child_exit());
}

void group_core::start_ready()
{
    while (!queue_.empty() && (options_.most_alive == 0 || alive_.size() < options_.most_alive))
    {
        alive_.splice(alive_.end(), queue_, queue_.begin());
        start(std::prev(alive_.end()));
    }
    recount();
    tell_if_idle();
}

void group_core::start(members::iterator it)
{
    error_code ec;
    it->process = std::make_shared<running_program>(loop_, executor_, watcher_);
    it->what.limits.insert(it->what.limits.begin(), options_.limits.begin(), options_.limits.end());
    if (watcher_->is_active())
        it->process->start(std::move(it->what), options_.tree, ec);
    else
        ec = error::watcher_inactive;
    if (ec)
        return end(it, ec, {});
    it->process->watch(
        [self = shared_from_this(), it](const error_code& how, const child_exit& exit) {
            self->end(it, how, exit);
            self->start_ready();
        });
}

void group_core::end(members::iterator it, const error_code& ec, const child_exit& exit)
{
    std::move(it->end).complete(loop_executor(), ec, exit);
    alive_.erase(it);
    tell_end(ec, exit);
}

void group_core::tell_end(const error_code& ec, const child_exit& exit)
{
    complete_all(any_waits_, loop_executor(), ec, exit);
}

void group_core::tell_if_idle()
{
    if (!queue_.empty() || !alive_.empty())
        return;
    complete_all(all_waits_, loop_executor(), error_code());
    complete_all(
        any_waits_, loop_executor(), make_error_code(asio::error::not_found), child_exit());
}

void group_core::recount() noexcept
{
    alive_count_ = alive_.size();
    waiting_count_ = queue_.size();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
