// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_RUN_OPERATION_HPP
#define LOOPS_SRC_PROCESS_RUN_OPERATION_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>
#include <loops/process/async_run.hpp>

#include "detail/fork.hpp"
#include "platform/posix/stream_ends.hpp"
#include "process/output_sink.hpp"
#include "process/running_program.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/strand.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Programs that run, each fed by the one before: what async_run() is. From go_on() on all of it happens on its
// strand.
class run_operation : public std::enable_shared_from_this<run_operation>
{
public:
    run_operation(asio::io_context& loop, run_options options, run_handler handler);
    run_operation(const run_operation&) = delete;
    run_operation& operator=(const run_operation&) = delete;

    void connect_cancellation();

    asio::strand<asio::io_context::executor_type> get_executor() const { return executor_; }

    // Starts the processes, the first one that cannot be started excepted.
    void launch(const std::vector<command>& programs);

    // What there is to do besides. Not inline.
    void go_on();

private:
    using clock = loop_clock;
    using executor_type = asio::strand<asio::io_context::executor_type>;
    using descriptor = asio::posix::basic_stream_descriptor<executor_type>;
    using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor_type>;

    struct output
    {
        output(const executor_type& executor, std::size_t most, output_sink::line_function on_line);

        descriptor from;
        output_sink to;
        std::array<char, std::size_t(16) * 1024> buffer{};
    };

    struct stage
    {
        stage(const run_options& options, const executor_type& executor,
            std::shared_ptr<running_program> program);

        std::shared_ptr<running_program> process;
        bool ended = false;
        output errors;
        run_result result;
    };

    void prepare(const std::vector<command>& programs);
    void launch(stage& it, command what, int from, int to);
    void assign(output& it, platform::pipe_ends& from);
    bool have_ended() const noexcept;
    bool is_inherited() const noexcept { return generation_ != fork_generation(); }
    template <class Function>
    void each_output(Function function);

    void begin();
    void read(output& it);
    void on_readable(output& it, error_code ec);
    void write();
    void on_exit(stage& it, const error_code& ec, const child_exit& exit);
    void cancel();
    void stop_for(const error_code& reason);
    void drain();
    void give_up_outputs();
    bool give_up(output& it);
    void complete_if_done();

    const unsigned generation_ = fork_generation();
    asio::io_context& loop_;
    const executor_type executor_;
    run_options options_;
    run_handler handler_;
    const asio::any_completion_executor work_; // the handler's executor waits for it
    std::shared_ptr<child_watcher> watcher_;
    std::deque<stage> stages_;
    descriptor input_;
    std::size_t written_ = 0;
    output output_;  // the last stage's
    timer deadline_; // of the processes, and then of the outputs that are held open
    clock::time_point started_;
    error_code reason_;      // why it is being stopped, or could not be started
    error_code ec_;          // what else went wrong
    std::size_t untold_ = 0; // outputs that were given up, and not handed on yet
    bool completed_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
