// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/process/cgroup_scope.hpp>

#include "detail/delivery.hpp"
#include "detail/fork.hpp"
#include "platform/linux/cgroup.hpp"
#include "platform/posix/descriptor.hpp"
#include "process/ending.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/system/errc.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

using std::chrono::milliseconds;

// What is written, and where: "max 100000" is what the kernel has in cpu.max without a limit.
std::vector<std::pair<const char*, std::string>> lines_of(const cgroup_limits& limits)
{
    constexpr double period = 100000; // us, the kernel's default
    std::vector<std::pair<const char*, std::string>> lines;
    if (limits.memory)
        lines.emplace_back("memory.max", std::to_string(*limits.memory));
    if (limits.cpus)
        lines.emplace_back(
            "cpu.max", std::to_string(static_cast<std::uint64_t>(*limits.cpus * period)) + ' ' +
                           std::to_string(static_cast<std::uint64_t>(period)));
    if (limits.processes)
        lines.emplace_back("pids.max", std::to_string(*limits.processes));
    return lines;
}

// Waits for the file of events to change until there is no process. It holds that file open by itself.
class empty_wait : public std::enable_shared_from_this<empty_wait>
{
public:
    using executor_type = asio::strand<asio::io_context::executor_type>;
    using handler_type = asio::any_completion_handler<void(error_code)>;

    empty_wait(asio::io_context& loop, handler_type handler)
        : executor_(asio::make_strand(loop)),
          events_(executor_),
          handler_(std::move(handler)),
          work_(detail::tracked(
              asio::get_associated_executor(handler_, asio::any_completion_executor())))
    {}

    executor_type get_executor() const { return executor_; }

    void start(const std::string& folder)
    {
        detail::connect_cancellation(handler_, weak_from_this(), [](empty_wait& it) {
            it.cancelled_ = true;
            it.events_.cancel();
        });
        error_code ec;
        const int fd = platform::open_cgroup_events(folder, ec);
        if (fd >= 0)
            events_.assign(fd, ec);
        if (ec)
            platform::close_descriptor(fd);
        if (ec == boost::system::errc::no_such_file_or_directory)
            ec.clear(); // it was removed, and so had no process
        asio::post(executor_, [self = shared_from_this(), ec] { self->look(ec); });
    }

private:
    // It is read before it is waited for: what changes in between has it report at once. In a forked child a look
    // would take the report from the parent.
    void look(error_code ec)
    {
        if (generation_ != detail::fork_generation())
            ec = error::forked;
        else if (cancelled_)
            ec = asio::error::operation_aborted;
        if (ec || !events_.is_open() || !platform::is_populated(events_.native_handle()))
            return complete(ec);
        events_.async_wait(asio::posix::descriptor_base::wait_error,
            [self = shared_from_this()](const error_code& how) { self->look(how); });
    }

    void complete(const error_code& ec)
    {
        error_code ignored;
        events_.close(ignored);
        asio::dispatch(executor_, asio::append(std::move(handler_), ec));
    }

    const unsigned generation_ = detail::fork_generation();
    const executor_type executor_;
    asio::posix::basic_stream_descriptor<executor_type> events_;
    handler_type handler_;
    const asio::any_completion_executor work_; // the handler's executor waits for it
    bool cancelled_ = false;
};

} // namespace

std::optional<std::string> cgroup_scope::why_unsupported(const std::string& parent)
{
    try
    {
        const cgroup_scope tried({}, parent);
        error_code ec;
        tried.kill(ec);
        if (ec)
            return "writing " + tried.folder() + "/cgroup.kill: " + ec.message();
        return std::nullopt;
    }
    catch (const system_error& e)
    {
        return e.what();
    }
}

cgroup_scope::cgroup_scope(const cgroup_limits& limits, const std::string& parent)
    : generation_(detail::fork_generation())
{
    constexpr double most_cpus = 1e6;
    if (limits.cpus && !(*limits.cpus > 0 && *limits.cpus <= most_cpus))
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making a cgroup that may use no CPU, or more than there can be");
    const std::string within = parent.empty() ? platform::own_cgroup() : parent;
    if (within.empty())
        detail::throw_error(make_error_code(boost::system::errc::not_supported),
            "making a cgroup: no hierarchy of version 2 is mounted here");
    error_code ec;
    folder_ = platform::make_cgroup(within, ec);
    if (ec)
        detail::throw_error(ec, "making a cgroup in " + within);
    const auto remove_and_throw = [this](const error_code& how, const char* file) {
        error_code ignored;
        platform::remove_cgroup(folder_, ignored);
        detail::throw_error(how, std::string("making a cgroup: ") + folder_ + '/' + file);
    };
    for (const auto& [file, text] : lines_of(limits))
    {
        platform::write_cgroup(folder_, file, text, ec);
        if (ec == boost::system::errc::no_such_file_or_directory) // no controller is delegated
            ec = make_error_code(boost::system::errc::not_supported);
        if (ec)
            remove_and_throw(ec, file);
    }
    events_ = platform::open_cgroup_events(folder_, ec);
    if (ec)
        remove_and_throw(ec, "cgroup.events");
}

cgroup_scope::~cgroup_scope()
{
    if (generation_ == detail::fork_generation())
        remove();
    platform::close_descriptor(events_);
}

void cgroup_scope::remove() const noexcept
{
    error_code ignored;
    if (!empty())
        kill(ignored);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (!empty() && std::chrono::steady_clock::now() < end)
        platform::wait_for_cgroup_event(events_, milliseconds(100));
    platform::remove_cgroups(folder_);
}

void cgroup_scope::kill(error_code& ec) const noexcept
{
    platform::write_cgroup(folder_, "cgroup.kill", "1", ec);
}

void cgroup_scope::kill() const
{
    error_code ec;
    kill(ec);
    if (ec)
        detail::throw_error(ec, "killing what is in the cgroup " + folder_);
}

bool cgroup_scope::empty() const noexcept
{
    return !platform::is_populated(events_);
}

void cgroup_scope::start_wait_empty(asio::io_context& loop, empty_handler handler) const
{
    std::make_shared<empty_wait>(loop, std::move(handler))->start(folder_);
}

} // namespace LOOPS_ABI
} // namespace loops
