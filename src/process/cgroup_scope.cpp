// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/process/cgroup_scope.hpp>

#include "detail/fork.hpp"
#include "platform/linux/cgroup.hpp"
#include "platform/linux/pidfd.hpp"
#include "process/ending.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
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

// Waits for the file of events to change until there is no process. It holds that file open by itself. What
// comes after the start happens on the handler's executor, where it may be cancelled.
class empty_wait : public std::enable_shared_from_this<empty_wait>
{
public:
    using handler_type = asio::any_completion_handler<void(error_code)>;

    empty_wait(asio::io_context& loop, handler_type handler)
        : events_(loop),
          executor_(detail::tracked(asio::get_associated_executor(
              handler, asio::any_completion_executor(loop.get_executor())))),
          handler_(std::move(handler))
    {}

    void start(const std::string& folder)
    {
        error_code ec;
        const int fd = platform::open_cgroup_events(folder, ec);
        if (fd >= 0)
            events_.assign(fd);
        if (ec == boost::system::errc::no_such_file_or_directory)
            ec.clear(); // it was removed, and so had no process
        if (fd < 0 || !platform::is_populated(fd))
            asio::post(events_.get_executor(),
                asio::bind_executor(
                    executor_, [self = shared_from_this(), ec] { self->complete(ec); }));
        else
            wait();
    }

private:
    // It was read before it is waited for: what changes in between has it report at once.
    void wait()
    {
        const auto slot = asio::get_associated_cancellation_slot(handler_);
        events_.async_wait(asio::posix::stream_descriptor::wait_error,
            asio::bind_cancellation_slot(slot,
                asio::bind_executor(executor_, [self = shared_from_this()](const error_code& ec) {
                    if (!ec && platform::is_populated(self->events_.native_handle()))
                        self->wait();
                    else
                        self->complete(ec);
                })));
    }

    void complete(const error_code& ec)
    {
        error_code ignored;
        events_.close(ignored);
        std::move(handler_)(ec);
    }

    asio::posix::stream_descriptor events_;
    const asio::any_completion_executor executor_;
    handler_type handler_;
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
    platform::remove_cgroup(folder_, ignored);
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
