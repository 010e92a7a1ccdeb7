// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_WORKER_START_HPP
#define PREFORK_SERVER_WORKER_START_HPP

#include <loops/process/command.hpp>

#include "descriptor.hpp"
#include "options.hpp"

#include <string>
#include <vector>

namespace prefork {

/// The descriptor by which a worker says that it is ready.
constexpr int ready_descriptor = 5;

/// Makes the commands that start workers: this program anew, with the listening socket and the shared page.
///
/// It is started by the path that it had: where another version stands there by then, that is what
/// starts.
class worker_commands
{
public:
    /// @param listening, page Descriptors for the workers to inherit.
    worker_commands(const options& from, int listening, int page);

    /// Makes the command of a worker. It is to be started on a thread that lives as long as the master: the
    /// workers are killed when the thread that started them ends.
    loops::command make(unsigned index, unsigned slot) const;

private:
    const std::string program_;
    const std::vector<std::string> arguments_;
    const int listening_;
    const int page_;
};

/// What a worker inherits.
struct inheritance
{
    descriptor listening;
    descriptor page;
    descriptor ready;
};

/// Takes over what the master passed on.
///
/// Call it once, first of all, on the main thread. Does not return where the master has died.
/// @throws usage_error where this program was not started as a worker.
inheritance inherit(const worker_role& role);

} // namespace prefork

#endif
