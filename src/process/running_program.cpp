// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/running_program.hpp"

#include <loops/child_watcher.hpp>
#include <loops/process/cgroup_scope.hpp>

#include "platform/linux/child.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/spawn_error.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/system/errc.hpp>

#include <csignal>
#include <new>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// Has a command lead a group, unless it says what group or session it wants. Whether it leads one.
bool lead_group(command& what)
{
    if (!what.new_session && !what.process_group)
        what.process_group = 0;
    return what.new_session || what.process_group == 0;
}

} // namespace

running_program::running_program(
    asio::io_context& loop, executor_type executor, std::shared_ptr<child_watcher> watcher)
    : loop_(loop),
      executor_(std::move(executor)),
      watcher_(std::move(watcher)),
      patience_(executor_)
{}

running_program::~running_program()
{
    if (!ended_)
        give_up();
}

void running_program::start(command what, const tree_options& tree, error_code& ec)
{
    ec.clear();
    leads_group_ = tree.kind != process_tree::process && lead_group(what);
    if (tree.kind == process_tree::cgroup)
    {
        make_scope(tree, ec);
        if (ec)
            return;
        if (scope_)
            what.cgroup = scope_->folder();
    }
    process_ = start_process(what, ec);
    ended_ = ec.failed();
    if (ended_)
        scope_.reset();
}

// Without limits to keep, a group will do.
void running_program::make_scope(const tree_options& tree, error_code& ec)
{
    try
    {
        scope_ = std::make_shared<cgroup_scope>(tree.limits, tree.parent);
        scope_->kill(); // nobody yet: whether the kernel can, which it does from Linux 5.14 on
    }
    catch (const system_error& e)
    {
        scope_.reset();
        if (!tree.limits.empty())
            ec = platform::make_spawn_error(platform::spawn_call::make_cgroup, e.code().value());
    }
}

void running_program::watch(const end_function& on_end)
{
    error_code ec;
    try
    {
        return watcher_->async_wait(
            process_.id(), asio::bind_executor(executor_,
                               [self = shared_from_this(), on_end](const error_code& how,
                                   const child_exit& exit) { self->on_exit(how, exit, on_end); }));
    }
    catch (const system_error& e)
    {
        ec = e.code();
    }
    catch (const std::bad_alloc&)
    {
        ec = make_error_code(boost::system::errc::not_enough_memory);
    }
    asio::post(
        executor_, [self = shared_from_this(), ec, on_end] { self->on_exit(ec, {}, on_end); });
}

void running_program::stop(const stop_ladder& ladder)
{
    if (ended_ || !ladder_.empty())
        return;
    ladder_ = ladder;
    climb();
}

void running_program::climb()
{
    const stop_rung& rung = ladder_[next_rung_];
    signal_tree(rung.signal);
    if (++next_rung_ == ladder_.size())
        return;
    patience_.expires_after(rung.patience);
    patience_.async_wait([weak = weak_from_this()](const error_code& ec) {
        const auto self = weak.lock();
        if (!ec && self && !self->ended_)
            self->climb();
    });
}

void running_program::kill()
{
    if (ended_)
        return;
    killed_ = true;
    signal_tree(SIGKILL);
}

void running_program::signal(int number) const noexcept
{
    error_code ignored; // it has ended
    if (!ended_ && !is_inherited())
        process_.signal(number, ignored);
}

std::optional<std::size_t> running_program::rung() const noexcept
{
    if (next_rung_ == 0)
        return std::nullopt;
    return next_rung_ - 1;
}

// To all of the group, if it leads one; to nobody where it has ended.
void running_program::signal_tree(int number) const noexcept
{
    if (is_inherited())
        return;
    error_code ignored;
    const platform::child_id child{process_.id(), process_.native_handle()};
    if (number == SIGKILL && scope_)
        scope_->kill(ignored);
    if (leads_group_)
        platform::send_signal_to_group(child, number, ignored);
    else
        platform::send_signal(child, number, ignored);
}

// Ends what nobody waits for any more, at once; it is reaped by threads of the library.
void running_program::give_up() noexcept
{
    ended_ = true;
    if (is_inherited())
        return;
    signal_tree(SIGKILL);
    try
    {
        if (watcher_->is_active())
            return watcher_->async_wait(process_.id(),
                asio::bind_executor(asio::system_executor(),
                    [watcher = watcher_, scope = scope_](const error_code&, const child_exit&) {}));
    }
    catch (...) // it is waited for below: it is as good as dead
    {}
    platform::wait_for({process_.id(), process_.native_handle()});
}

void running_program::on_exit(
    const error_code& ec, const child_exit& exit, const end_function& on_end)
{
    const bool is_unknown = ec && ec != error::child_status_lost;
    if (is_unknown)
        give_up(); // nobody waits for it any more
    ended_ = true;
    patience_.cancel();
    if ((killed_ || next_rung_ > 0) && leads_group_ && !is_unknown)
        signal_tree(SIGKILL); // what is left of its group
    if (!scope_ || is_inherited())
        return on_end(ec, exit);
    error_code ignored;
    scope_->kill(ignored);
    scope_->async_wait_empty(
        loop_, asio::bind_executor(
                   executor_, [self = shared_from_this(), on_end, ec, exit](const error_code&) {
                       self->scope_.reset();
                       on_end(ec, exit);
                   }));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
