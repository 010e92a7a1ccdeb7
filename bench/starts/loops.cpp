// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/process/launcher.hpp>
#include <loops/process/start.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>

#include "../children/subject.hpp"
#include "starters.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <csignal>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace starts {
namespace {

namespace asio = boost::asio;

constexpr int id_is_pidfd = 3; // P_PIDFD

// Beside the floor: the same, but for what start_process() does for the program.
class loops_starter : public starter
{
public:
    explicit loops_starter(const std::string& program) : command_(program) {}

    void start_and_wait() override
    {
        const loops::started_process process = loops::start_process(command_);
        siginfo_t info{};
        ::syscall(SYS_waitid, id_is_pidfd, process.native_handle(), &info, WEXITED, nullptr);
    }

private:
    const loops::command command_;
};

// Waited for by a watcher, on a loop.
class watching_starter : public starter
{
public:
    // Those that are there before end with the thread that starts them.
    explicit watching_starter(const std::string& program, std::size_t others = 0)
        : command_(program)
    {
        const loops::command other(children::beside("child_helper"), {"pause"});
        for (std::size_t i = 0; i < others; ++i)
            watch(other);
    }

    void start_and_wait() override
    {
        watch(command_);
        loop_.restart();
        loop_.run();
    }

private:
    void watch(const loops::command& what)
    {
        watcher_.async_wait(loops::start_process(what),
            asio::bind_executor(loop_.get_executor(),
                [this](loops::error_code, const loops::child_exit&) { loop_.stop(); }));
    }

    const loops::command command_;
    asio::io_context loop_;
    loops::pidfd_child_watcher watcher_;
};

class launcher_starter : public starter
{
public:
    explicit launcher_starter(std::string program) : program_(std::move(program)) {}

    void start_and_wait() override
    {
        watcher_.async_wait(launch_(loop_, program_, none_),
            asio::bind_executor(
                loop_.get_executor(), [](loops::error_code, const loops::child_exit&) {}));
        loop_.restart();
        loop_.run();
    }

private:
    const std::string program_;
    const std::vector<std::string> none_;
    asio::io_context loop_;
    loops::launcher launch_;
    loops::pidfd_child_watcher watcher_;
};

} // namespace

void add_loops(std::vector<kind>& all)
{
    all.push_back(kind_of<loops_starter>("Loops, and waitid"));
    all.push_back(kind_of<watching_starter>("Loops, and a watcher"));
    all.push_back(kind_of<launcher_starter>("Loops' launcher"));
}

kind beside_children(std::size_t count)
{
    return {"Loops, " + std::to_string(count) + " children",
        [count](const std::string& program) -> std::unique_ptr<starter> {
            return std::make_unique<watching_starter>(program, count);
        }};
}

} // namespace starts
