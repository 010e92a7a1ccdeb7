// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_WORKER_PROCESS_HPP
#define PREFORK_SERVER_WORKER_PROCESS_HPP

#include "descriptor.hpp"
#include "options.hpp"

#include <string>
#include <vector>

namespace prefork {

/// A worker as its master sees it.
///
/// The descriptor names the process, not the number: a signal cannot reach another process that
/// got the number later, not even between the watcher's reaping and the master's hearing of it.
class worker_process
{
public:
    worker_process() = default;
    explicit worker_process(int pid);

    int pid() const noexcept { return pid_; }

    /// Sends a signal; to a process that has ended: nothing.
    void signal(int number) const noexcept;

private:
    int pid_ = 0;
    descriptor pidfd_;
};

/// Starts workers: this very program anew, with the listening socket and the shared page.
///
/// Started by `posix_spawn`, since the heap and the locks of a program with threads are no good in
/// its forked copy: what a worker does first, it does after its `exec`.
class worker_starter
{
public:
    /// @param listening, page Descriptors for the workers to inherit; copied.
    worker_starter(const options& from, int listening, int page);

    /// Starts a worker. Call it on a thread that lives as long as the master: the workers are
    /// killed when the thread that started them ends.
    /// @throws system_error; there is no process then.
    worker_process start(unsigned index) const;

private:
    const std::vector<std::string> arguments_;
    const descriptor listening_;
    const descriptor page_;
};

/// What a worker inherits.
struct inheritance
{
    descriptor listening;
    descriptor page;
};

/// Takes over what worker_starter passed on; and has this process killed when its master dies.
///
/// Call it once, first of all, on the main thread. Does not return where the master has died.
/// @throws usage_error where this program was not started by worker_starter.
inheritance inherit(const worker_role& role);

} // namespace prefork

#endif
