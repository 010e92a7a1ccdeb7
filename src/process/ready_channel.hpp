// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_READY_CHANNEL_HPP
#define LOOPS_SRC_PROCESS_READY_CHANNEL_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/process/command.hpp>
#include <loops/process/supervisor.hpp>

#include "detail/fork.hpp"
#include "platform/posix/stream_ends.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/strand.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a worker's process said of itself.
struct worker_word
{
    bool ready = false;
    bool lives = false;
    std::optional<std::string> text;
};

// What a datagram of sd_notify()'s holds.
worker_word parse_notification(const std::string& text);

// By what a worker's process says that it is ready. All of it happens on a strand.
class ready_channel : public std::enable_shared_from_this<ready_channel>
{
public:
    using executor_type = asio::strand<asio::io_context::executor_type>;
    using word_function = std::function<void(worker_word)>;

    explicit ready_channel(const executor_type& executor);

    // Has the command's process be told where to say it.
    void open(const supervisor_options& options, command& what, error_code& ec);

    // Once the process, which leads its group, was started: calls a function with each word of it.
    void listen(pid_type pid, const word_function& on_word);

    void close();

private:
    void take(int fd, error_code& ec);
    void wait(pid_type pid, const word_function& on_word);
    bool take_line(const word_function& on_word);
    void take_notifications(pid_type pid, const word_function& on_word);

    const unsigned generation_ = fork_generation();
    asio::posix::basic_stream_descriptor<executor_type> from_;
    platform::pipe_ends theirs_; // of a pipe, until the process has it
    bool is_socket_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
