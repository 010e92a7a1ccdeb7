// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_LOOP_ATTACHMENT_HPP
#define LOOPS_SRC_DETAIL_LOOP_ATTACHMENT_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/fork.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <mutex>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_record;

// Has a loop call a function while a descriptor is readable and somebody wants to know, and lets another loop
// take over: what was readable before is found by that. The descriptor is the owner's; loops get copies
// of it. It is work for its loop as long as somebody wants to know.
class loop_attachment : public std::enable_shared_from_this<loop_attachment>
{
public:
    // Called on the loop's threads; by two loops at a time where one has just taken over. What it leaves
    // unread has it called again.
    using function = std::function<void()>;

    // Called amid the destruction of the loop that it is attached to, if somebody wants to know.
    using gone_function = std::function<void(asio::io_context& loop)>;

    loop_attachment(int fd, function on_readable, gone_function on_gone);
    loop_attachment(const loop_attachment&) = delete;
    loop_attachment& operator=(const loop_attachment&) = delete;
    ~loop_attachment();

    // An error leaves it attached to what it was.
    void attach(asio::io_context& loop, error_code& ec);
    void detach();

    // Whether somebody wants to know. With an error nobody is told.
    void want(bool on, error_code& ec);

    // Whether it has a loop that lives.
    bool is_attached() const;

    // Where what has no executor of its own is completed: the loop, if there is one; else the running one, the
    // thread's existing one, or the library's own.
    asio::io_context::executor_type executor() const;

    // Whether this is a forked child, whose parent's it is.
    bool is_inherited() const noexcept { return generation_ != fork_generation(); }

private:
    struct watch;

    std::shared_ptr<watch> make_watch(const loop_record& record, error_code& ec);
    void lose(asio::io_context& loop);
    void begin(const std::shared_ptr<watch>& fresh);
    void end();
    void wait(const std::shared_ptr<watch>& present);
    void on_ready(const std::shared_ptr<watch>& present);
    void go_on(const std::shared_ptr<watch>& present);

    const unsigned generation_ = fork_generation();
    const int fd_;
    const function on_readable_;
    const gone_function on_gone_;
    mutable std::mutex mutex_;
    std::shared_ptr<loop_record> loop_;
    std::weak_ptr<watch> present_; // the operation that waits has it: it goes with its loop
    bool wanted_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
