// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/run_operation.hpp"

#include <loops/child_watcher.hpp>
#include <loops/policy.hpp>

#include "detail/delivery.hpp"
#include "process/ending.hpp"

#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using std::chrono::nanoseconds;

// What a pipe holds at most, unless root says otherwise.
constexpr std::size_t most_at_end = std::size_t(1) << 20;

bool make_sense(const run_options& options) noexcept
{
    return is_valid(options.stop) && options.drain >= nanoseconds(0) &&
           options.deadline.value_or(nanoseconds(0)) >= nanoseconds(0);
}

asio::any_completion_executor executor_of(const run_handler& handler)
{
    return asio::get_associated_executor(handler, asio::any_completion_executor());
}

} // namespace

run_operation::output::output(
    const executor_type& executor, std::size_t most, output_sink::line_function on_line)
    : from(executor), to(most, std::move(on_line))
{}

run_operation::stage::stage(const run_options& options, const executor_type& executor,
    std::shared_ptr<running_program> program)
    : process(std::move(program)), errors(executor, options.most_output, options.on_error)
{}

run_operation::run_operation(asio::io_context& loop, run_options options, run_handler handler)
    : loop_(loop),
      executor_(asio::make_strand(loop)),
      options_(std::move(options)),
      handler_(std::move(handler)),
      work_(tracked(executor_of(handler_))),
      input_(executor_),
      output_(executor_, options_.most_output, options_.on_output),
      deadline_(executor_)
{}

void run_operation::connect_cancellation()
{
    detail::connect_cancellation(
        handler_, weak_from_this(), [](run_operation& it) { it.cancel(); });
}

void run_operation::launch(const std::vector<command>& programs)
{
    prepare(programs);
    if (reason_)
        return;
    started_ = clock::now();
    platform::pipe_ends before; // what the next program reads
    if (!options_.input.empty())
    {
        before = platform::pipe_ends(reason_);
        if (reason_)
            return;
        input_.assign(before.release_write_end());
        input_.native_non_blocking(true);
    }
    for (const command& each : programs)
    {
        platform::pipe_ends next(reason_);
        if (reason_)
            return;
        launch(stages_.emplace_back(options_, executor_,
                   std::make_shared<running_program>(loop_, executor_, watcher_)),
            each, before.read_end(), next.write_end());
        if (reason_)
            return stages_.pop_back();
        before = platform::pipe_ends(next.release_read_end());
    }
    assign(output_, before);
}

void run_operation::prepare(const std::vector<command>& programs)
{
    watcher_ = options_.watcher ? options_.watcher : get_child_watcher();
    if (programs.empty() || !make_sense(options_))
        reason_ = make_error_code(boost::system::errc::invalid_argument);
    else if (!watcher_->is_active())
        reason_ = error::watcher_inactive;
}

void run_operation::launch(stage& it, command what, int from, int to)
{
    platform::pipe_ends errors(reason_);
    if (reason_)
        return;
    what.descriptors[0] = from < 0 ? command::null_device : from;
    what.descriptors[1] = to;
    what.descriptors[2] = errors.write_end();
    it.process->start(std::move(what), options_.tree, reason_);
    if (!reason_)
        assign(it.errors, errors);
}

void run_operation::assign(output& it, platform::pipe_ends& from)
{
    it.from.assign(from.read_end(), reason_);
    if (reason_)
        return;
    from.release_read_end();
    it.from.native_non_blocking(true, reason_);
}

bool run_operation::have_ended() const noexcept
{
    return std::all_of(
        stages_.begin(), stages_.end(), [](const stage& each) { return each.ended; });
}

template <class Function>
void run_operation::each_output(Function function)
{
    for (stage& each : stages_)
        function(each.errors);
    function(output_);
}

void run_operation::go_on()
{
    asio::post(executor_, [self = shared_from_this()] { self->begin(); });
}

void run_operation::begin()
{
    const auto self = shared_from_this();
    for (stage& each : stages_)
        each.process->watch([self, &each](const error_code& ec, const child_exit& exit) {
            self->on_exit(each, ec, exit);
        });
    if (reason_) // not all of them could be started
    {
        for (stage& each : stages_)
            each.process->kill();
    }
    else if (options_.deadline)
    {
        deadline_.expires_at(started_ + *options_.deadline);
        deadline_.async_wait([self](const error_code& ec) {
            if (!ec)
                self->stop_for(asio::error::timed_out);
        });
    }
    each_output([this](output& it) {
        if (it.from.is_open())
            read(it);
    });
    if (input_.is_open())
        write();
    complete_if_done();
}

// Waits, and reads when it is told: an operation that reads would have read already, on another thread of the
// loop, when the output is given up.
void run_operation::read(output& it)
{
    it.from.async_wait(descriptor::wait_read,
        [self = shared_from_this(), &it](const error_code& ec) { self->on_readable(it, ec); });
}

// What the functions of options throw leaves the loop's run, as what any handler throws; there is nothing
// left to do here after them.
void run_operation::on_readable(output& it, error_code ec)
{
    if (!it.from.is_open()) // given up
        return;
    std::size_t size = 0;
    if (!ec && !is_inherited()) // else it is for the parent to read
        size = platform::read_some(it.from.native_handle(), it.buffer.data(), it.buffer.size(), ec);
    if (size > 0 || ec == boost::system::errc::operation_would_block)
    {
        const std::string data(it.buffer.data(), size);
        read(it);
        return it.to.take(data);
    }
    if (ec && !ec_)
        ec_ = ec; // as Asio's, by select(), with descriptors from FD_SETSIZE on
    error_code ignored;
    it.from.close(ignored);
    asio::post(executor_, [self = shared_from_this()] { self->complete_if_done(); });
    it.to.end();
}

void run_operation::write()
{
    input_.async_wait(descriptor::wait_write, [self = shared_from_this()](error_code ec) {
        if (!self->input_.is_open())
            return;
        const std::string& all = self->options_.input;
        if (self->is_inherited())
        {
            self->input_.close(ec);
            return;
        }
        if (!ec)
            self->written_ += platform::write_some(self->input_.native_handle(),
                all.data() + self->written_, all.size() - self->written_, ec);
        error_code ignored;
        if (ec || self->written_ == all.size()) // or nobody reads it any more
            self->input_.close(ignored);
        else
            self->write();
    });
}

void run_operation::on_exit(stage& it, const error_code& ec, const child_exit& exit)
{
    it.ended = true;
    it.result.exit = exit;
    it.result.stopped_by = it.process->rung();
    it.result.elapsed = clock::now() - started_;
    if (ec && !ec_)
        ec_ = ec;
    if (!have_ended())
        return;
    drain();
    complete_if_done();
}

void run_operation::cancel()
{
    if (have_ended())
        give_up_outputs();
    else
        stop_for(asio::error::operation_aborted);
}

void run_operation::stop_for(const error_code& reason)
{
    if (have_ended() || reason_)
        return;
    reason_ = reason;
    for (stage& each : stages_)
        each.process->stop(options_.stop);
}

void run_operation::drain()
{
    deadline_.expires_after(options_.drain);
    deadline_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (!ec)
            self->give_up_outputs();
    });
}

void run_operation::give_up_outputs()
{
    if (completed_)
        return;
    for (stage& each : stages_)
        each.result.output_cut = give_up(each.errors);
    stages_.back().result.output_cut |= give_up(output_);
    asio::post(executor_, [self = shared_from_this()] { self->complete_if_done(); });
}

// What the process has written is taken all the same: the loop may have been late, too. Whether another one holds
// the output open.
bool run_operation::give_up(output& it)
{
    if (!it.from.is_open())
        return false;
    error_code ec;
    std::string rest;
    for (std::size_t size = is_inherited() ? 0 : 1; size > 0 && !ec && rest.size() < most_at_end;)
    {
        size = platform::read_some(it.from.native_handle(), it.buffer.data(), it.buffer.size(), ec);
        rest.append(it.buffer.data(), size);
    }
    const bool is_held = ec || rest.size() >= most_at_end;
    error_code ignored;
    it.from.close(ignored);
    ++untold_; // somebody may be about to look whether all is done
    asio::post(executor_, [self = shared_from_this(), &it, rest = std::move(rest)] {
        --self->untold_;
        it.to.take(rest);
        it.to.end();
    });
    return is_held;
}

void run_operation::complete_if_done()
{
    bool open = false;
    each_output([&](const output& it) { open |= it.from.is_open(); });
    if (completed_ || open || untold_ > 0 || !have_ended())
        return;
    completed_ = true;
    error_code ignored;
    input_.close(ignored);
    deadline_.cancel();
    std::vector<run_result> results;
    for (stage& each : stages_)
    {
        if (!options_.on_error)
            each.result.error_output = std::move(each.errors.to.kept());
        each.result.error_output_dropped = each.errors.to.dropped();
        results.push_back(std::move(each.result));
    }
    if (!results.empty())
    {
        if (!options_.on_output)
            results.back().output = std::move(output_.to.kept());
        results.back().output_dropped = output_.to.dropped();
    }
    asio::dispatch(asio::append(std::move(handler_), reason_ ? reason_ : ec_, std::move(results)));
}

void start_run(const std::vector<command>& programs, run_options options, run_handler handler)
{
    asio::io_context& loop = loop_of(executor_of(handler));
    const auto it = std::make_shared<run_operation>(loop, std::move(options), std::move(handler));
    it->connect_cancellation();
    it->launch(programs);
    it->go_on();
}

} // namespace detail

} // namespace LOOPS_ABI
} // namespace loops
