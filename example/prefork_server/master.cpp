// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "master.hpp"

#include <loops/child_watcher.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/process/supervisor.hpp>
#include <loops/run.hpp>

#include "print.hpp"
#include "scoreboard.hpp"
#include "watchers.hpp"
#include "worker_start.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace prefork {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using loops::error_code;

// One socket for all workers: what the kernel has queued on it outlives each of them.
class shared_port
{
public:
    explicit shared_port(unsigned short port)
    {
        asio::io_context none;
        const tcp::endpoint wanted(asio::ip::address_v4::loopback(), port);
        tcp::acceptor acceptor(none);
        try
        {
            acceptor.open(wanted.protocol());
            acceptor.set_option(tcp::acceptor::reuse_address(true));
            acceptor.bind(wanted);
            acceptor.listen(4096);
        }
        catch (const boost::system::system_error& e)
        {
            throw boost::system::system_error(
                e.code(), "listening on 127.0.0.1:" + std::to_string(port));
        }
        number_ = acceptor.local_endpoint().port();
        fd_ = descriptor(acceptor.release());
        ::fcntl(fd_.get(), F_SETFD, FD_CLOEXEC); // Asio does not; workers get a copy in its place
    }

    unsigned short number() const noexcept { return number_; }
    int fd() const noexcept { return fd_.get(); }

private:
    unsigned short number_ = 0;
    descriptor fd_;
};

loops::supervisor_options supervisor_of(const options& from)
{
    loops::supervisor_options made;
    made.ready = loops::readiness::descriptor;
    made.ready_descriptor = ready_descriptor;
    made.backoff.first = std::chrono::milliseconds(50);
    made.backoff.longest = std::chrono::seconds(5);
    made.backoff.steady = std::chrono::seconds(1);
    // The workers keep the grace themselves; the second is for one that does not.
    made.stop = {{SIGTERM, from.grace + std::chrono::seconds(1)}, {SIGKILL, {}}};
    return made;
}

// All of it happens on one loop, run by the main thread, which also starts the workers.
class master
{
public:
    master(asio::io_context& loop, const options& from)
        : from_(from),
          signals_(loop, SIGINT, SIGTERM, SIGHUP),
          port_(std::in_place, from.port),
          commands_(from, port_->fd(), page_.fd()),
          workers_(
              loop, [this](std::size_t index) { return command_of(index); }, from.workers,
              with_changes(supervisor_of(from)))
    {
        page_->master = ::getpid();
        page_->started_ms = monotonic_ms();
        page_->workers = from.workers;
        page_->set_watcher(loops::get_child_watcher()->name());
        ended_.resize(from.workers);
    }

    void start()
    {
        wait_for_signal();
        workers_.async_run([this](const error_code& ec) {
            failed_ |= ec.failed();
            signals_.cancel();
        });
        workers_.async_wait_ready([this](const error_code& ec) {
            if (!ec)
                announce();
        });
    }

    // Whether a worker could not stop as it should.
    bool failed() const { return failed_; }

private:
    loops::supervisor_options with_changes(loops::supervisor_options made)
    {
        made.on_change = [this](std::size_t index) { changed(index); };
        return made;
    }

    // In a slot that no process has.
    loops::command command_of(std::size_t index) const
    {
        if (!port_)
            throw std::runtime_error("the server stops");
        const worker_row& row = page_->rows[index];
        unsigned slot = 0;
        while (slot + 1 != row.slots.size() && is_alive(row.slots[slot].pid))
            ++slot;
        return commands_.make(static_cast<unsigned>(index), slot);
    }

    void announce() const
    {
        const std::string address = "http://127.0.0.1:" + std::to_string(port_->number()) + '/';
        std::cout << "prefork_server: policy " << from_.policy << ", " << from_.workers
                  << (from_.workers == 1 ? " worker" : " workers") << ", watcher "
                  << page_->watcher.data() << '\n'
                  << "Open   " << address << "  or  " << address << "status\n"
                  << "Renew  the workers, one by one: kill -HUP " << ::getpid() << '\n'
                  << "Stop   by Ctrl-C, or: kill " << ::getpid() << std::endl;
    }

    void wait_for_signal()
    {
        signals_.async_wait([this](const error_code& ec, int number) {
            if (ec)
                return;
            if (number == SIGHUP)
                renew();
            else if (port_)
                stop();
            else
                workers_.kill();
            wait_for_signal();
        });
    }

    void renew()
    {
        workers_.async_restart([](const error_code& ec) {
            print_line(std::cerr, ec ? "the workers are not all new: " + ec.message()
                                     : std::string("all workers are new"));
        });
    }

    void stop()
    {
        port_.reset();
        workers_.stop();
    }

    void changed(std::size_t index)
    {
        const loops::worker_status now = workers_.status(index);
        worker_row& row = page_->rows[index];
        row.restarts = static_cast<std::uint32_t>(now.restarts);
        for (unsigned slot = 0; slot != row.slots.size(); ++slot)
        {
            std::atomic<std::int32_t>& pid = row.slots[slot].pid;
            if (pid != 0 && pid == now.pid)
                row.current = slot;
            else if (pid == now.last_exit.pid())
                pid = 0;
        }
        tell_end(index, now);
    }

    // What a worker that was asked to end does is nothing to tell, unless it failed.
    void tell_end(std::size_t index, const loops::worker_status& now)
    {
        end& before = ended_[index];
        const std::string who = "worker " + std::to_string(index);
        if (now.last_exit.pid() != before.pid)
        {
            const bool failed_to_stop = !port_ && now.last_exit.exit_code() != 0;
            if (failed_to_stop || now.failures != before.failures ||
                now.state == loops::worker_state::backing_off)
                print_line(std::cerr, who + ' ' + describe(now.last_exit));
            failed_ |= failed_to_stop;
        }
        else if (port_ && now.failures != before.failures)
        {
            print_line(std::cerr, who + ": " + now.last_error.message());
        }
        before = {now.last_exit.pid(), now.failures};
    }

    static bool is_alive(std::int32_t pid) { return pid != 0 && ::kill(pid, 0) == 0; }

    static std::string describe(const loops::child_exit& how)
    {
        const std::string which = '(' + std::to_string(how.pid()) + ") ";
        if (how.signaled())
            return which + "was killed by signal " + std::to_string(how.term_signal());
        return which + "ended with status " + std::to_string(how.exit_code());
    }

    struct end
    {
        loops::pid_type pid = 0;
        std::uint64_t failures = 0;
    };

    const options& from_;
    asio::signal_set signals_;
    shared_scoreboard page_;
    std::optional<shared_port> port_; // until it is told to stop
    worker_commands commands_;
    std::vector<end> ended_;
    bool failed_ = false;
    loops::supervisor workers_;
};

} // namespace

int run_master(const options& from)
{
    // The policy of the command line is the workers'; the master needs one loop on this thread.
    const auto policy = std::make_shared<loops::default_policy>();
    loops::set_event_loop_policy(policy);
    install_watcher(from.watcher);
    bool failed = false;
    {
        asio::io_context& loop = loops::get_event_loop();
        master it(loop, from);
        it.start();
        loops::run_loop(loop);
        failed = it.failed();
    }
    policy->close();
    return failed ? 1 : 0;
}

} // namespace prefork
