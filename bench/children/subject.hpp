// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_CHILDREN_SUBJECT_HPP
#define LOOPS_BENCH_CHILDREN_SUBJECT_HPP

// What the programs about children compare, behind one interface: the watchers of Loops, and other
// libraries that tell when a child has ended. A subject owns a loop; the waits, the children and
// whatever else a scenario does to them are those of one process, process().

#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace children {

// The arguments of the helper program, which stands beside this one.
using arguments = std::vector<std::string>;

// The subject has nothing of the kind.
class not_offered : public std::exception
{};

// The subject, or a call of its, says no, in its own words.
class refused : public std::runtime_error
{
public:
    using runtime_error::runtime_error;
};

// What a handler does when it is called.
enum class then
{
    nothing,
    throws,
    // Destroys the object that watched the child, as a program does that has no further use for it.
    drops,
    // Destroys the object that watched the child, starts one that lives for a second, and watches
    // it.
    starts_long_one
};

// A wait that ended: with a status as `waitpid` codes it, or with a problem.
struct report
{
    int wait = 0;
    int status = 0;
    std::string problem;
    double at = 0; // nanoseconds of CLOCK_MONOTONIC
};

// What is so before the subject is made.
struct setup
{
    // The application counts SIGCHLD in a handler of its own.
    bool counts_signals = false;
};

class subject
{
public:
    explicit subject(const setup& before = {});
    subject(const subject&) = delete;
    subject& operator=(const subject&) = delete;
    virtual ~subject();

    // Whose children they are.
    virtual pid_t process() const;

    // Whether start() is the subject's own, and not start_raw().
    virtual bool starts() const { return false; }
    virtual pid_t start(const arguments& args) { return start_raw(args); }

    // Whether it watches children that it has not started.
    virtual bool attaches() const { return true; }

    // Starts what is not there.
    virtual void start_failing() { throw not_offered(); }

    // Waits for a child, and gives the wait's number. What starts children itself may have begun
    // that already, and offers no second one.
    virtual int watch(pid_t pid, then action = then::nothing) = 0;

    // Runs the loop until so many reports are there, or the time is over.
    virtual void run(long milliseconds, std::size_t reports) = 0;

    // Cancels a wait. By harder means where that was not enough.
    virtual void cancel(int) { throw not_offered(); }
    virtual void cancel_harder(int) {}

    // Destroys the object that watches or watched one child, where there is one.
    virtual void drop(int) {}

    // Destroys what watches: that object, or the watcher of all of them.
    virtual void drop_watcher(int wait) { drop(wait); }

    // Destroys the loop. Children are to go on.
    virtual void drop_loop() = 0;

    // Ends what watches, and the loop, in the order that the subject wants.
    virtual void close() = 0;

    // Whether the handler of a wait exists.
    virtual bool is_held(int wait) const { return !tickets_.at(index(wait)).expired(); }

    const std::vector<report>& reports() const { return reports_; }

    // The child of then::starts_long_one; 0 before.
    pid_t long_one() const { return long_one_; }

    // --- what else happens in the process ---

    virtual pid_t start_raw(const arguments& args);

    // Starts a child that has this number; throws not_offered where that cannot be.
    virtual void start_as(pid_t pid, const arguments& args);

    // Waits for a child as others do. Gives the status, or -1 where there is no such child.
    virtual int reap(pid_t pid);

    // Has another thread do that, which blocks; reaped() gives what it got.
    virtual void reap_by_thread(pid_t pid);
    virtual int reaped();

    virtual void ignore_signal();
    virtual std::size_t signals_counted() const;
    virtual bool counter_stands() const;

    // Leaves so many descriptors to be had.
    virtual void use_up_descriptors(int left);
    virtual void release_descriptors();

protected:
    // Names a new wait. What holds the ticket is the handler.
    std::shared_ptr<int> new_wait(then action = then::nothing);
    void set_action(int wait, then action) { actions_[index(wait)] = action; }

    // What a handler calls.
    void tell(int wait, int status, const std::string& problem = {});

    void add_report(report it) { reports_.push_back(std::move(it)); }
    void set_long_one(pid_t pid) { long_one_ = pid; }

    // Where a wait that the start began is kept until watch() asks for it.
    std::map<pid_t, int> begun_;
    int take_begun(pid_t pid, then action);

private:
    static std::size_t index(int wait) { return static_cast<std::size_t>(wait); }

    std::vector<std::weak_ptr<int>> tickets_;
    std::vector<then> actions_;
    std::vector<report> reports_;
    pid_t long_one_ = 0;
    std::vector<int> descriptors_;
    std::thread reaper_;
    int reaped_ = -1;
};

// A kind of subject, by the name of its column.
struct kind
{
    std::string name;
    std::function<std::unique_ptr<subject>(const setup&)> make;
};

// All that this build holds.
std::vector<kind> kinds();

// What the system itself can do, without a library.
std::vector<kind> raw_kinds();

void add_loops(std::vector<kind>& all);
void add_boost_v2(std::vector<kind>& all);
void add_boost_v1(std::vector<kind>& all);
void add_libuv(std::vector<kind>& all);
void add_glib(std::vector<kind>& all);
void add_libev(std::vector<kind>& all);
void add_asyncio(std::vector<kind>& all);
void add_tokio(std::vector<kind>& all);

// --- support ---

// The path of a file that stands beside this program.
std::string beside(const std::string& file);

// A command line of the helper program.
std::vector<std::string> command(const arguments& args);

// Pointers into a command line, for the calls that want such.
std::vector<char*> pointers(std::vector<std::string>& words);

double monotonic_nanoseconds();

// The CPU time of a process, this or another.
double cpu_nanoseconds(pid_t process);

} // namespace children

#endif
