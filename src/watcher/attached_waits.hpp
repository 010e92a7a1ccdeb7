// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_ATTACHED_WAITS_HPP
#define LOOPS_SRC_WATCHER_ATTACHED_WAITS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/loop_attachment.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The waits of a watcher, which a loop serves that watches one descriptor while somebody waits. What derives from
// this keeps the waits, and says what comes of that descriptor.
class attached_waits : public std::enable_shared_from_this<attached_waits>
{
public:
    attached_waits(const attached_waits&) = delete;
    attached_waits& operator=(const attached_waits&) = delete;
    virtual ~attached_waits();

    void attach(asio::io_context& loop, error_code& ec);
    void detach();
    bool is_active() const;
    void close();

    // The wait of that number, as its handler's cancellation has it.
    virtual void cancel(std::uint64_t id) = 0;

    // For messages: "files".
    virtual const char* of_what() const noexcept = 0;

protected:
    // The descriptor is owned.
    explicit attached_waits(int fd) : fd_(fd) {}

    template <class Derived, class... Arguments>
    static std::shared_ptr<Derived> make(int fd, Arguments&&... arguments)
    {
        auto made = std::make_shared<Derived>(fd, std::forward<Arguments>(arguments)...);
        made->make_attachment();
        return made;
    }

    // The descriptor is readable, on a thread of the loop's.
    virtual void on_ready() = 0;

    // The loop is being destroyed: what would be completed there is destroyed, as whatever else is pending on it.
    virtual void on_gone(asio::io_context& loop) = 0;

    // With the mutex held: which loop does the work has changed.
    virtual void on_attached() {}
    virtual void on_detached() {}

    // It was closed: no wait is added from now on, and those that there are end.
    virtual void end_all() = 0;

    int descriptor() const noexcept { return fd_; }
    loop_attachment& attachment() const noexcept { return *attachment_; }
    std::mutex& mutex() const noexcept { return mutex_; }
    std::uint64_t next_id() noexcept { return ++last_id_; }

    // In a forked child, where a thread of the parent's may have left the mutex locked.
    bool is_inherited() const noexcept { return attachment_->is_inherited(); }

    // With the mutex held.
    error_code why_unusable() const noexcept
    {
        return closed_ ? make_error_code(error::watcher_closed) : error_code();
    }

private:
    void make_attachment();

    const int fd_;
    std::shared_ptr<loop_attachment> attachment_;
    std::atomic<std::uint64_t> last_id_{0};
    mutable std::mutex mutex_; // guards what follows, and what derives from this
    bool closed_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
