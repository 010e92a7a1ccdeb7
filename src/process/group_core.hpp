// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_GROUP_CORE_HPP
#define LOOPS_SRC_PROCESS_GROUP_CORE_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/process/process_group.hpp>

#include "detail/pending_wait.hpp"
#include "process/running_program.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a process_group does, on its strand.
class group_core : public std::enable_shared_from_this<group_core>
{
public:
    using run_handler = asio::any_completion_handler<void(error_code, child_exit)>;
    using all_handler = asio::any_completion_handler<void(error_code)>;

    group_core(asio::io_context& loop, group_options options);
    group_core(const group_core&) = delete;
    group_core& operator=(const group_core&) = delete;

    void run(command what, run_handler handler);
    void wait_all(all_handler handler);
    void wait_any(run_handler handler);
    void stop();

    // What waits under that number, as its handler's cancellation has it.
    void cancel(std::uint64_t id);

    std::size_t alive() const noexcept { return alive_count_; }
    std::size_t waiting() const noexcept { return waiting_count_; }

private:
    using executor_type = running_program::executor_type;

    using end_wait = pending_wait<child_exit>;
    using all_wait = pending_wait<>;

    struct member
    {
        end_wait end;
        command what;
        std::shared_ptr<running_program> process;
    };
    using members = std::list<member>;

    template <class Wait>
    void add_wait(typename Wait::handler_type handler, std::list<Wait> group_core::*waits);
    void end_wait_of(std::uint64_t id);
    asio::io_context::executor_type loop_executor() const { return loop_.get_executor(); }

    void start_ready();
    void start(members::iterator it);
    void end(members::iterator it, const error_code& ec, const child_exit& exit);
    void tell_end(const error_code& ec, const child_exit& exit);
    void tell_if_idle();
    void recount() noexcept;

    asio::io_context& loop_;
    const executor_type executor_;
    const group_options options_;
    const std::shared_ptr<child_watcher> watcher_;
    members queue_;
    members alive_;
    std::list<all_wait> all_waits_;
    std::list<end_wait> any_waits_;
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<std::size_t> alive_count_{0};
    std::atomic<std::size_t> waiting_count_{0};
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
