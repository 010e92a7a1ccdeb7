// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_SUPERVISOR_CORE_HPP
#define LOOPS_SRC_PROCESS_SUPERVISOR_CORE_HPP

#include <loops/config.hpp>
#include <loops/detail/supervisor_fsm.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>
#include <loops/process/supervisor.hpp>

#include "detail/pending_wait.hpp"
#include "process/ready_channel.hpp"
#include "process/running_program.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What carries out what a supervisor_fsm decides, on a strand, and tells it what happened.
class supervisor_core : public std::enable_shared_from_this<supervisor_core>
{
public:
    using handler_type = asio::any_completion_handler<void(error_code)>;

    supervisor_core(asio::io_context& loop, supervisor::command_function what, std::size_t workers,
        supervisor_options options);
    supervisor_core(const supervisor_core&) = delete;
    supervisor_core& operator=(const supervisor_core&) = delete;

    void run(handler_type handler);
    void wait_ready(handler_type handler);
    void restart(handler_type handler);
    void stop();
    void kill();
    void abandon();
    void signal(int number);

    // What waits under that number, as its handler's cancellation has it.
    void cancel(std::uint64_t id);

    worker_status status(std::size_t worker) const;
    std::vector<worker_status> status() const;
    std::size_t size() const noexcept { return fsm_.size(); }

private:
    using clock = loop_clock;
    using executor_type = running_program::executor_type;
    using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor_type>;

    using pendings = std::list<pending_wait<>>;

    struct instance
    {
        std::shared_ptr<running_program> program;
        std::shared_ptr<ready_channel> channel;
    };

    template <class Function>
    void add(handler_type handler, Function function);
    template <class Function>
    void tell(Function function);
    void carry_out_all();
    void carry_out(const supervisor_fsm::action& it);
    void start(std::size_t worker, std::uint64_t process);
    error_code start_instance(std::size_t worker, std::uint64_t process);
    void on_word(std::uint64_t process, worker_word word);
    void on_end(std::uint64_t process, const error_code& ec, const child_exit& exit);
    void arm();
    void end_wait_of(std::uint64_t id);
    void forget_restarts();
    void complete_all(pendings& waits, const error_code& ec);

    asio::io_context& loop_;
    const executor_type executor_;
    const supervisor::command_function what_;
    const supervisor_options options_;
    const std::shared_ptr<child_watcher> watcher_;
    supervisor_fsm fsm_;
    std::deque<supervisor_fsm::action> actions_; // that are to be carried out
    bool carrying_out_ = false;
    std::unordered_map<std::uint64_t, instance> instances_;
    pendings runs_; // the one
    pendings ready_waits_;
    pendings restarts_;
    pendings next_restarts_; // that came during one
    timer timer_;
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<std::size_t> operations_{0}; // that have not completed
    std::atomic<bool> abandoned_{false};
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
