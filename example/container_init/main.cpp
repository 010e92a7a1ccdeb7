// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Process 1 of a container: starts a program, hands signals on to it, reaps what nobody else does, and
/// ends as the program does.

#include <loops/child_watcher.hpp>
#include <loops/error.hpp>
#include <loops/process/command.hpp>
#include <loops/process/start.hpp>
#include <loops/watcher/fast_child_watcher.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <sys/prctl.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;

// As shells have them.
constexpr int not_executable = 126;
constexpr int not_found = 127;
constexpr int killed = 128;

// Those that end or stop this program when they are not handled, but for the ones that a fault of its own
// raises. SIGPIPE is nobody else's.
constexpr int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT,
    SIGTSTP, SIGWINCH, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGIO, SIGPWR};

// Whether the standard input is a terminal that is ours to give away.
bool has_terminal()
{
    return ::isatty(STDIN_FILENO) == 1 && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

class init
{
public:
    explicit init(asio::io_context& loop)
        : loop_(loop),
          watcher_(std::make_shared<loops::fast_child_watcher>()),
          signals_(loop),
          has_terminal_(has_terminal())
    {
        for (const int each : forwarded)
            signals_.add(each);
        watcher_->attach_loop(loop);
    }

    init(const init&) = delete;
    init& operator=(const init&) = delete;
    ~init() { watcher_->close(); }

    // The program leads a group, which has the terminal, if there is one: its keys are signals to that, and what is
    // sent to this process is handed on.
    void start(loops::command what)
    {
        what.process_group = 0;
        program_ = loops::start_process(what);
        if (has_terminal_)
        {
            std::signal(SIGTTOU, SIG_IGN);
            ::tcsetpgrp(STDIN_FILENO, program_.id());
            program_.signal(SIGCONT); // it may have read before that, and been stopped
        }
        watcher_->async_wait(
            program_.id(), asio::bind_executor(loop_.get_executor(),
                               [this](const loops::error_code& ec, const loops::child_exit& exit) {
                                   end(ec, exit);
                               }));
        forward();
    }

    int code() const { return code_; }

private:
    void forward()
    {
        signals_.async_wait([this](const loops::error_code& ec, int number) {
            if (ec)
                return;
            loops::error_code ignored; // it is about to end
            program_.signal(number, ignored);
            forward();
        });
    }

    void end(const loops::error_code& ec, const loops::child_exit& exit)
    {
        if (ec)
            std::cerr << "container_init: " << ec.message() << std::endl;
        code_ = ec ? 1 : exit.signaled() ? killed + exit.term_signal() : exit.exit_code();
        if (has_terminal_)
            ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
        loop_.stop();
    }

    asio::io_context& loop_;
    const std::shared_ptr<loops::fast_child_watcher> watcher_;
    asio::signal_set signals_;
    const bool has_terminal_;
    loops::started_process program_;
    int code_ = 0;
};

int run(int argc, char* argv[])
{
    loops::command what(argv[1]);
    what.arguments.assign(argv + 2, argv + argc);
    std::signal(SIGPIPE, SIG_IGN);
    if (::getpid() != 1) // then orphans come here as well
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    asio::io_context loop;
    init it(loop);
    it.start(std::move(what));
    loop.run();
    return it.code();
}

} // namespace

int main(int argc, char* argv[])
{
    if (argc < 2 || std::string(argv[1]) == "--help")
    {
        (argc < 2 ? std::cerr : std::cout)
            << "Usage: container_init PROGRAM [ARGUMENT...]\n\n"
               "Runs a program as process 1 of a container: hands signals on to it, reaps orphans, "
               "and\n"
               "exits with its code, or with 128 and the number of the signal that ended it.\n";
        return argc < 2 ? 2 : 0;
    }
    try
    {
        return run(argc, argv);
    }
    catch (const loops::system_error& e)
    {
        std::cerr << "container_init: " << e.what() << std::endl;
        return e.code() == boost::system::errc::no_such_file_or_directory ? not_found
                                                                          : not_executable;
    }
    catch (const std::exception& e)
    {
        std::cerr << "container_init: " << e.what() << std::endl;
        return 1;
    }
}
