// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_REGISTRY_WATCHER_HPP
#define LOOPS_DETAIL_REGISTRY_WATCHER_HPP

#include <loops/child_watcher.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class child_waits;

// What the library's watchers have in common: their waits are in the process's books, and they
// differ in how these waits learn that a child ended.
class LOOPS_DECL registry_watcher : public child_watcher
{
public:
    std::string name() const final;

protected:
    explicit registry_watcher(std::shared_ptr<child_waits> waits) noexcept;

    // Closes.
    ~registry_watcher() override;

private:
    void do_async_wait(pid_type pid, wait_handler handler) final;
    void do_async_wait_state(pid_type pid, wait_handler handler) final;
    void do_add_handler(pid_type pid, handler_id id, wait_handler handler, error_code& ec) final;
    void do_remove_handler(pid_type pid, handler_id id) final;
    void do_attach(asio::io_context* loop) final;
    bool do_is_active() const final;
    void do_close() final;

    const std::shared_ptr<child_waits> waits_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
