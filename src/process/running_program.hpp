// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_RUNNING_PROGRAM_HPP
#define LOOPS_SRC_PROCESS_RUNNING_PROGRAM_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>
#include <loops/process/command.hpp>
#include <loops/process/process_tree.hpp>
#include <loops/process/start.hpp>
#include <loops/process/stop_ladder.hpp>

#include "detail/fork.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {

class cgroup_scope;
class child_watcher;

namespace detail {

// A program from its start to the end of its process, and of what is to be ended with that. But for start(),
// what happens does so on a strand.
class running_program : public std::enable_shared_from_this<running_program>
{
public:
    using executor_type = asio::strand<asio::io_context::executor_type>;
    using end_function = std::function<void(const error_code&, const child_exit&)>;

    running_program(
        asio::io_context& loop, executor_type executor, std::shared_ptr<child_watcher> watcher);
    running_program(const running_program&) = delete;
    running_program& operator=(const running_program&) = delete;

    // Where nobody was told of its end, its loop has gone: it is killed.
    ~running_program();

    // With an error there is no process, and nothing else may be called.
    void start(command what, const tree_options& tree, error_code& ec);

    pid_type id() const noexcept { return process_.id(); }

    // Whether this is a forked child, whose parent's the process is: nothing is done to it then.
    bool is_inherited() const noexcept { return generation_ != fork_generation(); }

    // Calls a function once on the strand when all has ended, never in here. With an error of the watcher's the
    // process was killed.
    void watch(const end_function& on_end);

    // Sends the first signal of the ladder, and the next ones as long as the process lives. Later calls do
    // nothing.
    void stop(const stop_ladder& ladder);

    // Kills it, whatever else is going on.
    void kill();

    // To the process alone.
    void signal(int number) const noexcept;

    // Which signal of the ladder was the last one.
    std::optional<std::size_t> rung() const noexcept;

private:
    using clock = loop_clock;
    using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor_type>;

    void make_scope(const tree_options& tree, error_code& ec);
    void climb();
    void signal_tree(int number) const noexcept;
    void give_up() noexcept;
    void on_exit(const error_code& ec, const child_exit& exit, const end_function& on_end);

    const unsigned generation_ = fork_generation();
    asio::io_context& loop_;
    const executor_type executor_;
    const std::shared_ptr<child_watcher> watcher_;
    started_process process_;
    bool leads_group_ = false;
    bool ended_ = true; // there is no process, or somebody else sees to its end
    bool killed_ = false;
    std::shared_ptr<cgroup_scope> scope_;
    stop_ladder ladder_;
    std::size_t next_rung_ = 0;
    timer patience_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
