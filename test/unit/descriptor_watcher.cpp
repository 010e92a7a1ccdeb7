// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE descriptor_watcher

#include <loops/backend.hpp>
#include <loops/watcher/descriptor_watcher.hpp>

#include "support/child_processes.hpp"
#include "support/error_check.hpp"
#include "support/faults.hpp"
#include "support/forked.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

using namespace test;
namespace asio = boost::asio;
using events = loops::descriptor_events;

namespace {

class descriptor
{
public:
    explicit descriptor(int fd) : fd_(fd) { require(fd >= 0, "opening a descriptor"); }
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&&) = delete;
    ~descriptor() { close(); }

    int get() const noexcept { return fd_; }
    void close()
    {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

struct pipe_pair
{
    descriptor out;
    descriptor in;

    pipe_pair() : pipe_pair(make()) {}
    void write(const std::string& text) const
    {
        BOOST_TEST(
            ::write(in.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }

private:
    struct ends
    {
        int all[2];
    };
    static ends make()
    {
        ends made{};
        require(::pipe2(made.all, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
        return made;
    }
    explicit pipe_pair(const ends& made) : out(made.all[0]), in(made.all[1]) {}
};

// How a wait ended.
struct ended
{
    std::atomic<int> calls{0};
    loops::error_code ec;
    events ready = events::none;

    auto handler()
    {
        return [this](loops::error_code how, events what) {
            ec = how;
            ready = what;
            ++calls;
        };
    }
};

bool has(events all, events one)
{
    return (all & one) != events::none;
}

using asio::ip::tcp;

std::pair<tcp::socket, tcp::socket> connected(asio::io_context& loop)
{
    tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), 0});
    tcp::socket one(loop);
    one.connect(acceptor.local_endpoint());
    tcp::socket other = acceptor.accept();
    return {std::move(one), std::move(other)};
}

void run(asio::io_context& loop)
{
    loop.restart();
    loop.run();
}

} // namespace

BOOST_AUTO_TEST_CASE(tells_when_one_can_be_read)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::descriptor_watcher watcher(loop);
    const pipe_pair pipe;
    ended end;
    watcher.async_wait(pipe.out.get(), events::read, end.handler());
    loop.poll();
    BOOST_TEST(end.calls == 0);
    pipe.write("x");
    run(loop);
    BOOST_TEST(end.calls == 1);
    BOOST_TEST(!end.ec, end.ec.message());
    BOOST_TEST(has(end.ready, events::read));
    BOOST_TEST(!has(end.ready, events::write));
    // It is so still, and a wait asks what is.
    ended again;
    watcher.async_wait(pipe.out.get(), events::read, again.handler());
    BOOST_TEST(again.calls == 0);
    run(loop);
    BOOST_TEST(again.calls == 1);
}

BOOST_AUTO_TEST_CASE(each_kind_of_readiness)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::descriptor_watcher watcher(loop);
    auto [one, other] = connected(loop);
    ended end;
    watcher.async_wait(one.native_handle(), events::write, end.handler());
    run(loop);
    BOOST_TEST(has(end.ready, events::write));
    other.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
    watcher.async_wait(one.native_handle(), events::priority, end.handler());
    run(loop);
    BOOST_TEST(has(end.ready, events::priority));
    BOOST_TEST(!has(end.ready, events::write));
    other.close();
    watcher.async_wait(one.native_handle(), events::none, end.handler());
    run(loop);
    BOOST_TEST(has(end.ready, events::hang_up));
    BOOST_TEST(end.calls == 3);
}

BOOST_AUTO_TEST_CASE(each_kind_of_descriptor)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::descriptor_watcher watcher(loop);
    std::vector<std::unique_ptr<ended>> ends;
    const auto wait = [&](int fd) {
        ends.push_back(std::make_unique<ended>());
        watcher.async_wait(fd, events::read, ends.back()->handler());
    };
    const descriptor event(::eventfd(0, EFD_CLOEXEC));
    wait(event.get());
    const descriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    wait(timer.get());
    sigset_t usr2;
    sigset_t before;
    ::sigemptyset(&usr2);
    ::sigaddset(&usr2, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &usr2, &before);
    const descriptor signal(::signalfd(-1, &usr2, SFD_CLOEXEC));
    wait(signal.get());
    gated_child child;
    const descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0U)));
    wait(process.get());
    loop.poll();

    const std::uint64_t number = 1;
    BOOST_TEST(::write(event.get(), &number, sizeof number) == 8);
    const itimerspec soon{{0, 0}, {0, 1}};
    ::timerfd_settime(timer.get(), 0, &soon, nullptr);
    ::pthread_kill(::pthread_self(), SIGUSR2);
    child.let_go();
    run(loop);
    for (const auto& each : ends)
    {
        BOOST_TEST(each->calls == 1);
        BOOST_TEST(has(each->ready, events::read));
    }
    signalfd_siginfo taken{};
    BOOST_TEST(::read(signal.get(), &taken, sizeof taken) == static_cast<ssize_t>(sizeof taken));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    BOOST_TEST(child.reap() == 0); // it was watched, not reaped
}

// Some of them end, and the others wait on.
BOOST_AUTO_TEST_CASE(many_waits_for_one_descriptor)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::descriptor_watcher watcher(loop);
    auto [one, other] = connected(loop);
    ended to_read;
    ended to_read_too;
    ended to_write;
    watcher.async_wait(one.native_handle(), events::read, to_read.handler());
    watcher.async_wait(one.native_handle(), events::read | events::write, to_write.handler());
    watcher.async_wait(one.native_handle(), events::read, to_read_too.handler());
    while (to_write.calls == 0)
        loop.run_one();
    loop.poll();
    BOOST_TEST(to_read.calls == 0);
    // Asio's own operations on the same descriptor go on beside that.
    asio::write(other, asio::buffer("text", 4));
    char data[4];
    std::size_t got = 0;
    asio::async_read(
        one, asio::buffer(data), [&](loops::error_code, std::size_t size) { got = size; });
    while (got == 0)
        loop.run_one();
    BOOST_TEST(got == 4U);
    asio::write(other, asio::buffer("text", 4));
    run(loop);
    BOOST_TEST(to_read.calls == 1);
    BOOST_TEST(to_read_too.calls == 1);
    BOOST_TEST(to_write.calls == 1);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_watched)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::descriptor_watcher watcher(loop);
    const descriptor file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    ended plain;
    ended closed;
    watcher.async_wait(file.get(), events::read, plain.handler());
    watcher.async_wait(1000000, events::read, closed.handler());
    BOOST_TEST(plain.calls == 0);
    run(loop);
    BOOST_TEST(plain.calls == 1);
    BOOST_TEST((plain.ec == boost::system::errc::operation_not_permitted), plain.ec.message());
    BOOST_TEST((closed.ec == boost::system::errc::bad_file_descriptor), closed.ec.message());
}

BOOST_AUTO_TEST_CASE(is_cancelled)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::descriptor_watcher watcher(loop);
    const pipe_pair pipe;
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total})
    {
        asio::cancellation_signal cancel;
        ended cancelled;
        ended other;
        watcher.async_wait(pipe.out.get(), events::read,
            asio::bind_cancellation_slot(cancel.slot(), cancelled.handler()));
        watcher.async_wait(pipe.out.get(), events::read, other.handler());
        cancel.emit(type);
        BOOST_TEST(cancelled.calls == 0);
        loop.restart();
        loop.poll();
        BOOST_TEST(cancelled.calls == 1);
        BOOST_TEST((cancelled.ec == asio::error::operation_aborted));
        BOOST_TEST(other.calls == 0);
        pipe.write("x");
        run(loop);
        BOOST_TEST(other.calls == 1);
        cancel.emit(type);
        char byte = 0;
        BOOST_TEST(::read(pipe.out.get(), &byte, 1) == 1);
    }
}

BOOST_AUTO_TEST_CASE(is_closed)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::descriptor_watcher watcher(loop);
    const pipe_pair pipe;
    ended pending;
    watcher.async_wait(pipe.out.get(), events::read, pending.handler());
    BOOST_TEST(watcher.is_active());
    watcher.close();
    watcher.close();
    BOOST_TEST(!watcher.is_active());
    ended late;
    watcher.async_wait(pipe.out.get(), events::read, late.handler());
    BOOST_TEST(pending.calls + late.calls == 0);
    run(loop);
    BOOST_TEST((pending.ec == asio::error::operation_aborted));
    BOOST_TEST((late.ec == loops::error::watcher_closed));
    check_error([&] { watcher.attach_loop(loop); }, loops::error::watcher_closed, "descriptors");
}

// What became ready before the one loop took over, or while there was none, is found by the next.
BOOST_AUTO_TEST_CASE(another_loop_takes_over)
{
    const child_ledger ledger;
    asio::io_context first;
    asio::io_context second;
    loops::descriptor_watcher watcher;
    BOOST_TEST(!watcher.is_active());
    const pipe_pair pipe;
    for (int round = 0; round != 3; ++round)
    {
        ended end;
        watcher.attach_loop(first);
        watcher.async_wait(pipe.out.get(), events::read, end.handler());
        if (round == 0)
            pipe.write("x");
        if (round == 1)
        {
            watcher.attach_loop(nullptr);
            BOOST_TEST(!watcher.is_active());
            pipe.write("x");
        }
        watcher.attach_loop(second);
        if (round == 2)
            pipe.write("x");
        run(first); // it has nothing to do any more
        BOOST_TEST(end.calls == 0);
        run(second);
        BOOST_TEST(end.calls == 1);
        BOOST_TEST(has(end.ready, events::read));
        char byte = 0;
        BOOST_TEST(::read(pipe.out.get(), &byte, 1) == 1);
    }
}

BOOST_AUTO_TEST_CASE(its_loop_is_destroyed)
{
    const child_ledger ledger;
    loops::descriptor_watcher watcher;
    const pipe_pair pipe;
    auto held = std::make_shared<int>();
    const std::weak_ptr<int> alive = held;
    {
        asio::io_context loop;
        watcher.attach_loop(loop);
        watcher.async_wait(
            pipe.out.get(), events::read, [held](loops::error_code, events) { std::abort(); });
        held.reset();
        BOOST_TEST(!alive.expired());
    }
    BOOST_TEST(alive.expired());
    BOOST_TEST(!watcher.is_active());
    asio::io_context next;
    watcher.attach_loop(next);
    BOOST_TEST(watcher.is_active());
    ended end;
    watcher.async_wait(pipe.out.get(), events::read, end.handler());
    pipe.write("x");
    next.run();
    BOOST_TEST(end.calls == 1);
}

BOOST_AUTO_TEST_CASE(a_handler_has_its_own_executor)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    loops::descriptor_watcher watcher(loop);
    const pipe_pair pipe;
    ended end;
    watcher.async_wait(pipe.out.get(), events::read,
        asio::bind_executor(other.get_executor(), [&](loops::error_code ec, events ready) {
            BOOST_TEST(other.get_executor().running_in_this_thread());
            end.handler()(ec, ready);
        }));
    auto future = watcher.async_wait(pipe.out.get(), events::read, asio::use_future);
    pipe.write("x");
    loop.run();
    BOOST_TEST(end.calls == 0);
    other.run(); // it had to wait for that
    BOOST_TEST(end.calls == 1);
    BOOST_TEST(has(future.get(), events::read));
}

// A shortage of descriptors is told, and leaves all as it was.
BOOST_AUTO_TEST_CASE(a_shortage)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    loops::descriptor_watcher watcher(loop);
    const pipe_pair pipe;
    ended refused;
    {
        const faults no_descriptor{{"fcntl", EMFILE}};
        watcher.async_wait(pipe.out.get(), events::read, refused.handler());
    }
    run(loop);
    BOOST_TEST((refused.ec == boost::system::errc::too_many_files_open));
    ended end;
    watcher.async_wait(pipe.out.get(), events::read, end.handler());
    {
        const faults no_descriptor{{"fcntl", EMFILE}};
        loops::error_code ec;
        watcher.attach_loop(other, ec);
        BOOST_TEST((ec == boost::system::errc::too_many_files_open));
    }
    pipe.write("x");
    run(loop);
    BOOST_TEST(end.calls == 1);
}

BOOST_AUTO_TEST_CASE(threads_wait_cancel_and_take_over)
{
    const child_ledger ledger;
    constexpr int threads = 4;
    constexpr int rounds = 300;
    asio::io_context loops_of_it[2];
    loops::descriptor_watcher watcher(loops_of_it[0]);
    auto busy = std::make_optional(asio::make_work_guard(loops_of_it[0]));
    auto busy_too = std::make_optional(asio::make_work_guard(loops_of_it[1]));
    std::vector<std::thread> runners;
    for (asio::io_context& each : loops_of_it)
        for (int i = 0; i != 2; ++i)
            runners.emplace_back([&each] { each.run(); });
    std::atomic<int> told{0};
    std::vector<std::thread> users;
    for (int i = 0; i != threads; ++i)
        users.emplace_back([&, i] {
            const descriptor event(::eventfd(0, EFD_CLOEXEC));
            for (int round = 0; round != rounds; ++round)
            {
                std::atomic<int> calls{0};
                asio::cancellation_signal cancel;
                watcher.async_wait(event.get(), events::read,
                    asio::bind_cancellation_slot(
                        cancel.slot(), [&](loops::error_code, events) { ++calls; }));
                const std::uint64_t number = 1;
                if (round % 3 == 0)
                    cancel.emit(asio::cancellation_type::terminal);
                else if (::write(event.get(), &number, sizeof number) != 8)
                    std::abort();
                if (i == 0)
                    watcher.attach_loop(loops_of_it[round % 2]);
                while (calls == 0)
                    std::this_thread::yield();
                told += calls;
                std::uint64_t taken = 0;
                if (round % 3 != 0 && ::read(event.get(), &taken, sizeof taken) != 8)
                    std::abort();
            }
        });
    for (std::thread& each : users)
        each.join();
    busy.reset();
    busy_too.reset();
    for (std::thread& each : runners)
        each.join();
    BOOST_TEST(told == threads * rounds);
}

BOOST_AUTO_TEST_CASE(forked)
{
    if (loops::backend() == loops::backend_type::io_uring)
        return skipped("descriptor_watcher/forked",
            "Asio 1.81 shares the ring with a forked child, which takes the parent's operations");
    const child_ledger ledger;
    asio::io_context loop;
    std::optional<loops::descriptor_watcher> inherited(std::in_place, loop);
    loops::descriptor_watcher& watcher = *inherited;
    const pipe_pair pipe;
    ended end;
    watcher.async_wait(pipe.out.get(), events::read, end.handler());
    loop.notify_fork(asio::io_context::fork_prepare);
    const int code = in_forked_child([&] {
        loop.notify_fork(asio::io_context::fork_child);
        ended late;
        watcher.async_wait(
            pipe.out.get(), events::read, asio::bind_executor(loop.get_executor(), late.handler()));
        loop.restart();
        loop.poll();
        watcher.close();
        loop.poll();
        return (late.ec == loops::error::forked ? 0 : 1) + (watcher.is_active() ? 2 : 0) +
               (end.calls == 0 ? 0 : 4);
    });
    loop.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(code == 0);
    // A child that tells no loop, and destroys what it inherited, takes nothing from the parent.
    BOOST_TEST(in_forked_child([&] {
        inherited.reset();
        return 0;
    }) == 0);
    pipe.write("x");
    run(loop);
    BOOST_TEST(end.calls == 1);
}
