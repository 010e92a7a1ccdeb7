// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_HOSTING_RUN_HPP
#define LOOPS_SRC_DETAIL_HOSTING_RUN_HPP

#include <loops/config.hpp>
#include <loops/loop_clock.hpp>
#include <loops/loop_guest.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_mark;
class loop_record;

// A run, by this thread, of a loop that has guests.
class hosting_run
{
public:
    // Throws already_running where another thread hosts them.
    explicit hosting_run(loop_record& record);
    hosting_run(const hosting_run&) = delete;
    hosting_run& operator=(const hosting_run&) = delete;
    ~hosting_run();

    // Takes in what guests there are now. To be called before each run_one().
    void take_in();

    struct turn
    {
        std::size_t handlers = 0; // that ran, with marks
        bool idle = true;         // none was ready
    };

    // Runs a handler, or what is ready of the guests, or waits for either, until the deadline.
    turn run_one(const std::optional<loop_clock::time_point>& deadline);

private:
    // A guest's descriptor, which ends the loop's wait.
    struct bell
    {
        bell(asio::io_context& loop, const std::shared_ptr<loop_guest>& of);

        const std::shared_ptr<loop_guest> guest;
        asio::posix::stream_descriptor descriptor;
        std::shared_ptr<bool> armed = std::make_shared<bool>(false);
    };

    bool is_outdated() const;
    std::size_t run_next(bool poll);
    bool look(std::size_t& all, bool poll);
    template <class Begin>
    void without_work(Begin begin);
    void arm();
    void wake_at(loop_clock::time_point at);
    bool has_work() const;

    loop_record& record_;
    asio::io_context& loop_;
    std::size_t version_ = 0; // of the record's guests
    std::vector<std::unique_ptr<bell>> bells_;
    asio::steady_timer timer_; // ends the loop's wait as well
    const std::shared_ptr<bool> timer_armed_ = std::make_shared<bool>(false);
    const std::shared_ptr<loop_mark> mark_;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
