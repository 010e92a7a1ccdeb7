// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_DESCRIPTOR_WAITS_HPP
#define LOOPS_SRC_WATCHER_DESCRIPTOR_WAITS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/watcher/descriptor_watcher.hpp>

#include "detail/pending_wait.hpp"
#include "watcher/attached_waits.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a descriptor_watcher does: the descriptors are in an inner epoll, each reported once when one of its
// waits may be over, and that epoll is what a loop watches.
class descriptor_waits final : public attached_waits
{
public:
    using wait_type = pending_wait<descriptor_events>;

    static std::shared_ptr<descriptor_waits> make();

    explicit descriptor_waits(int epoll) : attached_waits(epoll) {}

    void add(int fd, descriptor_events wanted, wait_type::handler_type handler);
    void cancel(std::uint64_t id) override;
    const char* of_what() const noexcept override { return "descriptors"; }

private:
    struct entry
    {
        descriptor_events wanted;
        wait_type wait;
    };
    using entries = std::multimap<int, entry>;

    error_code ask(int fd);
    void on_ready() override;
    void on_gone(asio::io_context& loop) override;
    void end_all() override;
    void want();
    void complete(std::vector<wait_type> waits, const error_code& ec);

    entries waits_; // by their descriptors
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
