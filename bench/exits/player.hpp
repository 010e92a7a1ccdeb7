// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_EXITS_PLAYER_HPP
#define LOOPS_BENCH_EXITS_PLAYER_HPP

#include "../children/subject.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include <sys/types.h>

namespace exits {

// What a process uses for so many pending waits.
struct footprint
{
    std::size_t threads = 0;
    std::size_t descriptors = 0;
    std::size_t resident_kib = 0;
};
footprint footprint_of(pid_t process);

// A subject in a process of its own: what takes a signal or makes threads is apart from the others,
// and all of it goes with the process. Throws children::refused where the subject cannot go on.
class player
{
public:
    explicit player(const children::kind& who);
    player(const player&) = delete;
    player& operator=(const player&) = delete;
    ~player();

    // The process whose children they are.
    pid_t process() const { return process_; }

    // Has so many children end, one after the other, and gives what it took in each case from the
    // last thing that the child did to the handler: in nanoseconds.
    std::vector<double> latencies(std::size_t count);

    // Has so many more children live, and be waited for.
    void start(std::size_t count);
    std::size_t alive() const { return alive_.size(); }

    // Takes some of the children, which somebody is to kill. Their ends are measured next.
    std::vector<pid_t> take(std::size_t count);

    // Has the loop run until so many children have ended; result() gives the nanoseconds of CPU
    // time that the process used meanwhile.
    void run(std::size_t count);
    double result();

    // When the last handler was called, by the clock of children::monotonic_nanoseconds().
    double last_at() const { return last_at_; }

    // Becomes readable when there is a result.
    int channel() const { return from_; }

private:
    void send(const std::string& line);
    std::string receive();

    pid_t player_ = 0;
    pid_t process_ = 0;
    int to_ = -1;
    int from_ = -1;
    double last_at_ = 0;
    std::string buffer_;
    std::vector<pid_t> alive_;
};

// Kills processes from another process, one after the other; gives that one.
pid_t kill_slowly(const std::vector<pid_t>& pids, long milliseconds_between);

// How many system calls a process, all threads of it, makes until there is a result. The process is
// of no use after that.
std::size_t count_calls(player& it, std::size_t exits);

} // namespace exits

#endif
