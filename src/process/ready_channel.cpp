// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/ready_channel.hpp"

#include "platform/linux/notify_socket.hpp"
#include "platform/posix/descriptor.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

bool starts_with(std::string_view text, std::string_view beginning) noexcept
{
    return text.substr(0, beginning.size()) == beginning;
}

std::vector<std::string> environment_of(const command& what)
{
    if (what.environment)
        return *what.environment;
    std::vector<std::string> all;
    for (char** each = environ; *each != nullptr; ++each)
        all.emplace_back(*each);
    return all;
}

// Those of ours, or of whoever started us, are not the worker's.
void forget_notifications(std::vector<std::string>& environment)
{
    const auto is_of_them = [](const std::string& each) {
        return starts_with(each, "NOTIFY_SOCKET=") || starts_with(each, "WATCHDOG_USEC=") ||
               starts_with(each, "WATCHDOG_PID=");
    };
    environment.erase(
        std::remove_if(environment.begin(), environment.end(), is_of_them), environment.end());
}

} // namespace

worker_word parse_notification(const std::string& text)
{
    constexpr std::string_view status = "STATUS=";
    worker_word made;
    std::string_view rest = text;
    while (!rest.empty())
    {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        made.ready |= line == "READY=1";
        made.lives |= line == "WATCHDOG=1";
        if (starts_with(line, status))
            made.text = std::string(line.substr(status.size()));
    }
    return made;
}

ready_channel::ready_channel(const executor_type& executor) : from_(executor) {}

void ready_channel::open(const supervisor_options& options, command& what, error_code& ec)
{
    ec.clear();
    if (options.ready == readiness::descriptor)
    {
        theirs_ = platform::pipe_ends(ec);
        if (ec)
            return;
        take(theirs_.release_read_end(), ec);
        what.descriptors[options.ready_descriptor] = theirs_.write_end();
    }
    else if (options.ready == readiness::sd_notify)
    {
        std::string name;
        const int socket = platform::make_notify_socket(name, ec);
        if (ec)
            return;
        take(socket, ec);
        is_socket_ = true;
        std::vector<std::string> environment = environment_of(what);
        forget_notifications(environment);
        environment.push_back("NOTIFY_SOCKET=" + name);
        if (options.watchdog > std::chrono::nanoseconds(0))
            environment.push_back(
                "WATCHDOG_USEC=" +
                std::to_string(
                    std::chrono::duration_cast<std::chrono::microseconds>(options.watchdog)
                        .count()));
        what.environment = std::move(environment);
    }
}

void ready_channel::take(int fd, error_code& ec)
{
    from_.assign(fd, ec);
    if (ec)
        platform::close_descriptor(fd);
    else
        from_.native_non_blocking(true, ec);
}

void ready_channel::listen(pid_type pid, const word_function& on_word)
{
    theirs_ = platform::pipe_ends();
    if (from_.is_open())
        wait(pid, on_word);
}

void ready_channel::close()
{
    error_code ignored;
    from_.close(ignored);
}

void ready_channel::wait(pid_type pid, const word_function& on_word)
{
    from_.async_wait(asio::posix::descriptor_base::wait_read,
        [self = shared_from_this(), pid, on_word](const error_code& ec) {
            // In a forked child what comes is for the parent to take.
            if (ec || !self->from_.is_open() || self->generation_ != fork_generation())
                return;
            if (self->is_socket_)
                self->take_notifications(pid, on_word);
            else if (self->take_line(on_word))
                return self->close();
            if (self->from_.is_open())
                self->wait(pid, on_word);
        });
}

// Whether there is nothing more to come.
bool ready_channel::take_line(const word_function& on_word)
{
    std::array<char, 256> data{};
    error_code ec;
    const std::size_t size =
        platform::read_some(from_.native_handle(), data.data(), data.size(), ec);
    if (ec == boost::system::errc::operation_would_block)
        return false;
    if (std::find(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size), '\n') ==
        data.begin() + static_cast<std::ptrdiff_t>(size))
        return ec || size == 0;
    worker_word ready;
    ready.ready = true;
    on_word(std::move(ready));
    return true;
}

void ready_channel::take_notifications(pid_type pid, const word_function& on_word)
{
    constexpr int at_a_time = 16; // whoever sends more does not hold the loop up
    for (int taken = 0; taken != at_a_time && from_.is_open(); ++taken)
    {
        const auto next = platform::take_notification(from_.native_handle());
        if (!next)
            return;
        // Anybody may send to it.
        if (platform::is_in_group(next->sender, pid))
            on_word(parse_notification(next->text));
    }
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
