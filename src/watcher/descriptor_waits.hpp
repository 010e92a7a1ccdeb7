// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_DESCRIPTOR_WAITS_HPP
#define LOOPS_SRC_WATCHER_DESCRIPTOR_WAITS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/watcher/descriptor_watcher.hpp>

#include "detail/loop_attachment.hpp"
#include "detail/pending_wait.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a descriptor_watcher does: the descriptors are in an inner epoll, each reported once when one of its
// waits may be over, and that epoll is what a loop watches.
class descriptor_waits : public std::enable_shared_from_this<descriptor_waits>
{
public:
    using wait_type = pending_wait<descriptor_events>;

    static std::shared_ptr<descriptor_waits> make();

    explicit descriptor_waits(int epoll);
    descriptor_waits(const descriptor_waits&) = delete;
    descriptor_waits& operator=(const descriptor_waits&) = delete;
    ~descriptor_waits();

    void add(int fd, descriptor_events wanted, wait_type::handler_type handler);
    void cancel(std::uint64_t id);
    void attach(asio::io_context& loop, error_code& ec);
    void detach();
    bool is_active() const;
    void close();

private:
    struct entry
    {
        descriptor_events wanted;
        wait_type wait;
    };
    using entries = std::multimap<int, entry>;

    error_code why_unusable() const noexcept;
    error_code ask(int fd);
    void on_ready();
    void on_gone(asio::io_context& loop);
    void want();
    void complete(std::vector<wait_type> waits, const error_code& ec);

    const int epoll_;
    std::shared_ptr<loop_attachment> attachment_;
    mutable std::mutex mutex_;
    entries waits_; // by their descriptors
    std::atomic<std::uint64_t> last_id_{0};
    bool closed_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
