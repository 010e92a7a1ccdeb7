// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "master.hpp"

#include <loops/child_watcher.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/run.hpp>

#include "print.hpp"
#include "restart_delay.hpp"
#include "scoreboard.hpp"
#include "watchers.hpp"
#include "worker_process.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <optional>
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

// All of it happens on one loop, run by the main thread, which also starts the workers.
class master
{
public:
    master(asio::io_context& loop, const options& from)
        : from_(from),
          work_(loop.get_executor()),
          signals_(loop, SIGINT, SIGTERM),
          deadline_(loop),
          watcher_(loops::get_child_watcher()),
          port_(std::in_place, from.port)
    {
        starter_.emplace(from, port_->fd(), page_.fd());
        page_->master = ::getpid();
        page_->started_ms = monotonic_ms();
        page_->workers = from.workers;
        page_->set_watcher(watcher_->name());
        for (unsigned index = 0; index != from.workers; ++index)
            workers_.push_back(std::make_unique<worker>(loop));
    }

    void start()
    {
        wait_for_signal();
        for (unsigned index = 0; index != from_.workers; ++index)
            start_worker(index);
        announce();
    }

    // Whether a worker could not stop as it should.
    bool failed() const { return failed_; }

private:
    struct worker
    {
        explicit worker(asio::io_context& loop) : timer(loop) {}

        worker_process process;
        bool alive = false;
        restart_delay delay;
        asio::steady_timer timer;
    };

    void announce() const
    {
        const std::string address = "http://127.0.0.1:" + std::to_string(port_->number()) + '/';
        std::cout << "prefork_server: policy " << from_.policy << ", " << from_.workers
                  << (from_.workers == 1 ? " worker" : " workers") << ", watcher "
                  << watcher_->name() << '\n'
                  << "Open   " << address << "  or  " << address << "status\n"
                  << "Stop   by Ctrl-C, or: kill " << ::getpid() << std::endl;
    }

    void wait_for_signal()
    {
        signals_.async_wait([this](const error_code& ec, int) {
            if (ec)
                return;
            if (stopping_)
                kill_all();
            else
                stop();
            wait_for_signal();
        });
    }

    void start_worker(unsigned index)
    {
        worker& it = *workers_[index];
        worker_slot& slot = page_->slots[index];
        slot.requests = 0;
        slot.connections = 0;
        slot.started_ms = monotonic_ms();
        try
        {
            it.process = starter_->start(index);
        }
        catch (const boost::system::system_error& e)
        {
            print_line(std::cerr, e.what());
            restart_later(index);
            return;
        }
        it.alive = true;
        slot.pid = it.process.pid();
        watcher_->async_wait(
            it.process.pid(), [this, index](const error_code& ec, const loops::child_exit& how) {
                ended(index, ec, how);
            });
    }

    void ended(unsigned index, const error_code& ec, const loops::child_exit& how)
    {
        worker& it = *workers_[index];
        it.alive = false;
        page_->slots[index].pid = 0;
        if (stopping_)
        {
            if (how.exited() && how.exit_code() != 0)
            {
                failed_ = true;
                print_line(std::cerr,
                    "worker " + std::to_string(it.process.pid()) + ' ' + describe(ec, how));
            }
            finish_if_done();
            return;
        }
        print_line(std::cerr, "worker " + std::to_string(it.process.pid()) + ' ' +
                                  describe(ec, how) + "; replacing it");
        restart_later(index);
    }

    static std::string describe(const error_code& ec, const loops::child_exit& how)
    {
        if (ec)
            return "has ended: " + ec.message();
        if (how.signaled())
            return "was killed by signal " + std::to_string(how.term_signal());
        return "ended with status " + std::to_string(how.exit_code());
    }

    void restart_later(unsigned index)
    {
        worker& it = *workers_[index];
        worker_slot& slot = page_->slots[index];
        const std::chrono::milliseconds lived(monotonic_ms() - slot.started_ms);
        it.timer.expires_after(it.delay.after(lived));
        it.timer.async_wait([this, index](const error_code& ec) {
            if (ec || stopping_)
                return;
            ++page_->slots[index].restarts;
            start_worker(index);
        });
    }

    void stop()
    {
        stopping_ = true;
        port_.reset();
        starter_.reset();
        for (const auto& each : workers_)
        {
            each->timer.cancel();
            if (each->alive)
                each->process.signal(SIGTERM);
        }
        // The workers keep the grace themselves; this is for one that does not.
        deadline_.expires_after(from_.grace + std::chrono::seconds(1));
        deadline_.async_wait([this](const error_code& ec) {
            if (!ec)
                kill_all();
        });
        finish_if_done();
    }

    void kill_all()
    {
        for (const auto& each : workers_)
        {
            if (!each->alive)
                continue;
            print_line(std::cerr, "killing worker " + std::to_string(each->process.pid()));
            each->process.signal(SIGKILL);
        }
    }

    void finish_if_done()
    {
        for (const auto& each : workers_)
        {
            if (each->alive)
                return;
        }
        deadline_.cancel();
        signals_.cancel();
        work_.reset();
    }

    const options& from_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    asio::signal_set signals_;
    asio::steady_timer deadline_;
    const std::shared_ptr<loops::child_watcher> watcher_;
    shared_scoreboard page_;
    std::optional<shared_port> port_;
    std::optional<worker_starter> starter_;
    std::vector<std::unique_ptr<worker>> workers_;
    bool stopping_ = false;
    bool failed_ = false;
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
