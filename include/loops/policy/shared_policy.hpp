// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_SHARED_POLICY_HPP
#define LOOPS_POLICY_SHARED_POLICY_HPP

#include <loops/backend.hpp>
#include <loops/policy.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// One loop for all threads, run by any number of them.
///
/// Handlers run concurrently where several threads run the loop: use strands, as with any
/// `io_context` that threads share.
class LOOPS_DECL shared_policy : public event_loop_policy
{
public:
    /// Makes a policy that makes its loop at the first need.
    /// @param threads How many threads run() uses, at least 1.
    /// @throws system_error with `invalid_argument` for 0.
    explicit shared_policy(std::size_t threads = available_parallelism());

    /// Makes a policy that adopts a loop, which must live as long as run() is under way.
    explicit shared_policy(asio::io_context& loop, std::size_t threads = available_parallelism());

    ~shared_policy() override;

    std::string name() const override;
    asio::io_context& get_event_loop() override;
    asio::io_context* existing_event_loop() noexcept override;

    /// Replaces the loop of all threads.
    /// @throws system_error with `error::already_running` while the policy's threads run, or
    /// callers run a loop that the policy made.
    void set_event_loop(asio::io_context* loop) override;

    /// Starts as many threads as the constructor was told.
    void start() override;

    using event_loop_policy::run;

    /// Runs the loop on `threads` threads of the policy's own, until stop() or drain(); waits for
    /// them. The calling thread may be used for nothing else meanwhile.
    /// @throws As event_loop_policy::run(); `invalid_argument` for 0 threads.
    void run(std::size_t threads);

    /// Starts threads that run the loop, and returns.
    /// @throws As run().
    void start(std::size_t threads);

    void close() override;

protected:
    void run_started(std::uint64_t since) override;
    bool current_is_thread_bound() const noexcept override;

private:
    void check_no_caller_runs(const char* attempted) const;

    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
