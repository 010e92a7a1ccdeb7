// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_THREADED_POLICY_HPP
#define LOOPS_POLICY_THREADED_POLICY_HPP

#include <loops/policy.hpp>

#include <functional>
#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class thread_slots;
} // namespace detail

/// One loop a thread, made on demand, each run by a background thread of its own: work posted to
/// it runs though nobody calls `run`.
///
/// Loops of new_event_loop() have a thread as well; closing or destroying one joins it. In the
/// background thread of a loop that loop is the current one.
class LOOPS_DECL threaded_policy : public event_loop_policy
{
public:
    threaded_policy();
    ~threaded_policy() override;

    std::string name() const override;
    asio::io_context& get_event_loop() override;
    asio::io_context* existing_event_loop() noexcept override;
    void set_event_loop(asio::io_context* loop) override;
    std::unique_ptr<event_loop> new_event_loop() override;

    /// Visits the current loops of all threads; makes the calling thread's if need be. No other of
    /// these threads may end meanwhile: the loop that was made for it ends with it.
    void for_each_loop(const std::function<void(asio::io_context&)>& visit) override;

    /// Starts the threads of the loops anew where a stop or drain has ended them; and the loop of
    /// the calling thread, where there is none at all.
    void start() override;

    void close() override;

protected:
    void run_started(std::uint64_t since) override;
    std::unique_ptr<event_loop> new_callers_loop() override;
    bool current_is_thread_bound() const noexcept override;

private:
    const std::unique_ptr<detail::thread_slots> slots_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
