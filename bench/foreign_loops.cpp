// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What it takes until GLib's and libuv's callbacks run where a loop of Loops has them as guests, beside their own loops;
// and what handlers of the loop lose by a guest. Each figure is of one turn of a chain, in which a callback causes the next one:
// by an idle source or handle, by a byte in a pipe, or by another thread that answers.
//
// usage: foreign_loops [rounds, 11 unless given]

#include <loops/event_loop.hpp>
#include <loops/foreign/glib.hpp>
#include <loops/foreign/uv.hpp>
#include <loops/run.hpp>

#include "measure.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>
#include <uv.h>

namespace asio = boost::asio;

namespace {

constexpr std::size_t turns = 2000;

struct pipe_pair
{
    pipe_pair()
    {
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
            throw std::runtime_error("pipe2");
    }
    pipe_pair(const pipe_pair&) = delete;
    pipe_pair& operator=(const pipe_pair&) = delete;
    ~pipe_pair()
    {
        ::close(ends[0]);
        ::close(ends[1]);
    }

    void put() const
    {
        if (::write(ends[1], "x", 1) != 1)
            std::abort();
    }
    bool take() const
    {
        char byte = 0;
        return ::read(ends[0], &byte, 1) == 1;
    }

    int ends[2];
};

// Another thread that puts a byte there for each that it gets here.
class answerer
{
public:
    explicit answerer(const pipe_pair& to)
        : thread_([this, &to] {
              char byte = 0;
              while (::read(asked_[0], &byte, 1) == 1 && byte == 'x')
                  to.put();
          })
    {}
    answerer(const answerer&) = delete;
    answerer& operator=(const answerer&) = delete;
    ~answerer()
    {
        ask('-');
        thread_.join();
        ::close(asked_[0]);
        ::close(asked_[1]);
    }

    void ask(char byte = 'x') const
    {
        if (::write(asked_[1], &byte, 1) != 1)
            std::abort();
    }

private:
    struct ends
    {
        ends()
        {
            if (::pipe2(all, O_CLOEXEC) != 0)
                throw std::runtime_error("pipe2");
        }
        int operator[](int which) const { return all[which]; }
        int all[2];
    };

    const ends asked_;
    std::thread thread_;
};

enum class by
{
    idle,
    pipe,
    thread
};

// A chain of turns; each kind of loop has its way to have turn() called.
class chain
{
public:
    explicit chain(by how) : how_(how), other_(how == by::thread ? new answerer(pipe) : nullptr) {}

    // Starts the next turn; false: they are over.
    bool turn()
    {
        if (how_ != by::idle && !pipe.take())
            return true;
        if (--left_ == 0)
            return false;
        cause();
        return true;
    }

    void start()
    {
        left_ = turns;
        cause();
    }

    bool is_idle() const { return how_ == by::idle; }

    pipe_pair pipe;

private:
    void cause()
    {
        if (how_ == by::pipe)
            pipe.put();
        if (how_ == by::thread)
            other_->ask();
    }

    const by how_;
    const std::unique_ptr<answerer> other_;
    std::size_t left_ = 0;
};

class glib_chain : public chain
{
public:
    using chain::chain;

    // Until `over` is called.
    void attach(std::function<void()> over)
    {
        over_ = std::move(over);
        GSource* const source =
            is_idle() ? g_idle_source_new() : g_unix_fd_source_new(pipe.ends[0], G_IO_IN);
        if (is_idle())
            g_source_set_callback(source, &on_idle, this, nullptr);
        else
            g_source_set_callback(source, G_SOURCE_FUNC(&on_pipe), this, nullptr);
        g_source_attach(source, nullptr);
        g_source_unref(source);
        start();
    }

private:
    gboolean go_on()
    {
        if (turn())
            return G_SOURCE_CONTINUE;
        over_();
        return G_SOURCE_REMOVE;
    }
    static gboolean on_idle(gpointer self) { return static_cast<glib_chain*>(self)->go_on(); }
    static gboolean on_pipe(gint, GIOCondition, gpointer self)
    {
        return static_cast<glib_chain*>(self)->go_on();
    }

    std::function<void()> over_;
};

class uv_chain : public chain
{
public:
    using chain::chain;

    void attach(uv_loop_t* loop)
    {
        if (is_idle())
        {
            uv_idle_init(loop, &idle_);
            idle_.data = this;
            uv_idle_start(&idle_, [](uv_idle_t* it) {
                if (!static_cast<uv_chain*>(it->data)->turn())
                    uv_close(reinterpret_cast<uv_handle_t*>(it), nullptr);
            });
        }
        else
        {
            uv_poll_init(loop, &poll_, pipe.ends[0]);
            poll_.data = this;
            uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* it, int, int) {
                if (!static_cast<uv_chain*>(it->data)->turn())
                    uv_close(reinterpret_cast<uv_handle_t*>(it), nullptr);
            });
        }
        start();
    }

private:
    uv_idle_t idle_;
    uv_poll_t poll_;
};

class asio_chain : public chain
{
public:
    asio_chain(by how, asio::io_context& loop) : chain(how), loop_(loop), descriptor_(loop)
    {
        if (how != by::idle)
            descriptor_.assign(::dup(pipe.ends[0]));
    }

    void attach(std::function<void()> over)
    {
        over_ = std::move(over);
        start();
        next();
    }

private:
    void next()
    {
        const auto go_on = [this] {
            if (turn())
                next();
            else
                over_();
        };
        if (is_idle())
            asio::post(loop_, go_on);
        else
            descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                [go_on](const loops::error_code&) { go_on(); });
    }

    asio::io_context& loop_;
    asio::posix::stream_descriptor descriptor_;
    std::function<void()> over_;
};

double each(const std::function<void()>& run)
{
    const double begin = measure::wall_nanoseconds();
    run();
    return (measure::wall_nanoseconds() - begin) / static_cast<double>(turns);
}

void compare(std::size_t rounds, by how, const char* name)
{
    loops::event_loop plain;
    loops::event_loop of_glib;
    loops::event_loop of_uv;
    asio::io_context in_glib;
    GMainLoop* const main = g_main_loop_new(nullptr, FALSE);
    uv_loop_t uv;
    uv_loop_t uv_alone;
    uv_loop_init(&uv);
    uv_loop_init(&uv_alone);
    const loops::uv_guest uv_there(of_uv, &uv);

    glib_chain glib(how);
    uv_chain libuv(how);
    asio_chain alone(how, plain);
    asio_chain beside_glib(how, of_glib);
    asio_chain beside_uv(how, of_uv);
    asio_chain inside_glib(how, in_glib);
    const auto run = [](loops::event_loop& loop) {
        loop.restart();
        loop.run();
    };
    std::vector<measure::rival> rivals[3];
    rivals[0].push_back({"GLib's own loop", [&] {
                             return each([&] {
                                 glib.attach([&] { g_main_loop_quit(main); });
                                 g_main_loop_run(main);
                             });
                         }});
    rivals[0].push_back({"GLib as a guest", [&] {
                             const loops::glib_guest there(of_glib);
                             return each([&] {
                                 glib.attach([&] { of_glib.stop(); });
                                 run(of_glib);
                             });
                         }});
    rivals[1].push_back({"libuv's own loop", [&] {
                             return each([&] {
                                 libuv.attach(&uv_alone);
                                 uv_run(&uv_alone, UV_RUN_DEFAULT);
                             });
                         }});
    rivals[1].push_back({"libuv as a guest", [&] {
                             return each([&] {
                                 libuv.attach(&uv);
                                 run(of_uv);
                             });
                         }});
    rivals[2].push_back({"Asio, no guest", [&] {
                             return each([&] {
                                 alone.attach([] {});
                                 run(plain);
                             });
                         }});
    rivals[2].push_back({"Asio, GLib as a guest", [&] {
                             const loops::glib_guest there(of_glib);
                             return each([&] {
                                 beside_glib.attach([&] { of_glib.stop(); });
                                 run(of_glib);
                             });
                         }});
    rivals[2].push_back({"Asio, libuv as a guest", [&] {
                             return each([&] {
                                 beside_uv.attach([] {});
                                 run(of_uv);
                             });
                         }});
    rivals[2].push_back({"Asio, run by GLib", [&] {
                             const loops::glib_host host(in_glib);
                             return each([&] {
                                 inside_glib.attach([&] { g_main_loop_quit(main); });
                                 g_main_loop_run(main);
                             });
                         }});
    for (auto& set : rivals)
    {
        measure::print_heading("", name, "wall time");
        measure::current_table().name += ", beside " + set.front().name;
        for (const measure::result& result : measure::interleave(rounds, set))
            measure::print("", result);
        std::printf("\n");
    }
    g_main_loop_unref(main);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_loop_close(&uv);
    uv_loop_close(&uv_alone);
}

} // namespace

int main(int argc, char* argv[])
{
    try
    {
        const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 11;
        compare(rounds, by::idle, "a turn by an idle callback");
        compare(rounds, by::pipe, "a turn by a pipe");
        compare(rounds, by::thread, "a turn by another thread");
        return 0;
    }
    catch (const std::exception& e)
    {
        std::fprintf(stderr, "foreign_loops: %s\n", e.what());
        return 1;
    }
}
