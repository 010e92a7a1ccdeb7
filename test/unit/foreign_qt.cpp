// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// A Qt program whose dispatcher is GLib's, as a guest of a loop, and with a loop in it.

#define BOOST_TEST_MODULE foreign_qt

#include <loops/event_loop.hpp>
#include <loops/foreign/glib.hpp>

#include "support/child_processes.hpp"
#include "support/skipped.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <QAbstractEventDispatcher>
#include <QCoreApplication>
#include <QSocketNotifier>
#include <QTimer>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::child_ledger;

namespace {

// One a process, as Qt wants it.
struct application
{
    application()
    {
        auto& suite = boost::unit_test::framework::master_test_suite();
        count = suite.argc;
        it = std::make_unique<QCoreApplication>(count, suite.argv);
    }

    static bool is_of_glib()
    {
        return QAbstractEventDispatcher::instance()->inherits("QEventDispatcherGlib");
    }

    int count;
    std::unique_ptr<QCoreApplication> it;
};
BOOST_TEST_GLOBAL_FIXTURE(application);

// What a Qt program waits for: a timer, a descriptor, and events that another thread posts. Each happens
// `enough` times, on the thread that made this.
class widget
{
public:
    static constexpr int enough = 50;

    explicit widget(std::function<void()> done) : done_(std::move(done))
    {
        BOOST_REQUIRE(::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) == 0);
        notifier_ = std::make_unique<QSocketNotifier>(ends_[0], QSocketNotifier::Read);
        QObject::connect(notifier_.get(), &QSocketNotifier::activated, &receiver_, [this] {
            char byte = 0;
            if (::read(ends_[0], &byte, 1) == 1)
                count(bytes_);
        });
        QObject::connect(&timer_, &QTimer::timeout, &receiver_, [this] { count(ticks_); });
        timer_.start(1);
        other_ = std::thread([this] {
            for (int i = 0; i != enough; ++i)
            {
                if (::write(ends_[1], "x", 1) != 1)
                    return;
                QMetaObject::invokeMethod(
                    &receiver_, [this] { count(posted_); }, Qt::QueuedConnection);
            }
        });
    }
    widget(const widget&) = delete;
    widget& operator=(const widget&) = delete;
    ~widget()
    {
        other_.join();
        notifier_.reset();
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

    bool is_done() const { return ticks_ >= enough && bytes_ == enough && posted_ == enough; }

private:
    void count(int& what)
    {
        if (std::this_thread::get_id() != thread_)
            BOOST_ERROR("an event of Qt's on another thread");
        ++what;
        if (is_done() && done_)
            std::exchange(done_, nullptr)();
    }

    const std::thread::id thread_ = std::this_thread::get_id();
    QObject receiver_;
    QTimer timer_;
    std::unique_ptr<QSocketNotifier> notifier_;
    int ends_[2];
    int ticks_ = 0;
    int bytes_ = 0;
    int posted_ = 0;
    std::function<void()> done_;
    std::thread other_;
};

// Asio's part: a timer each millisecond, until that is enough.
void tick(asio::steady_timer& timer, int& ticks, const std::function<void()>& done)
{
    timer.expires_after(1ms);
    timer.async_wait([&](const loops::error_code& ec) {
        if (ec)
            return;
        if (++ticks == widget::enough)
            done();
        else
            tick(timer, ticks, done);
    });
}

bool is_skipped(const char* name)
{
    if (application::is_of_glib())
        return false;
    test::skipped(std::string("foreign_qt/") + name, "Qt's dispatcher is not GLib's here");
    return true;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_qt_program_as_a_guest)
{
    if (is_skipped("a_qt_program_as_a_guest"))
        return;
    const child_ledger ledger;
    loops::event_loop loop;
    loops::glib_guest guest(loop);
    asio::steady_timer timer(loop);
    int ticks = 0;
    const widget* shown = nullptr;
    const auto end = [&] {
        if (ticks >= widget::enough && shown->is_done())
            loop.stop();
    };
    const widget it(end);
    shown = &it;
    const std::function<void()> done(end);
    tick(timer, ticks, done);
    loop.run();
    BOOST_TEST(it.is_done());
    BOOST_TEST(ticks == widget::enough);
}

BOOST_AUTO_TEST_CASE(a_loop_in_a_qt_program)
{
    if (is_skipped("a_loop_in_a_qt_program"))
        return;
    const child_ledger ledger;
    loops::event_loop loop;
    loops::glib_host host(loop);
    asio::steady_timer timer(loop);
    int ticks = 0;
    const widget* shown = nullptr;
    const auto end = [&] {
        if (ticks >= widget::enough && shown->is_done())
            QCoreApplication::quit();
    };
    const widget it(end);
    shown = &it;
    const std::function<void()> done(end);
    // In exec() only is there something that quit() ends.
    asio::post(loop, [&] { tick(timer, ticks, done); });
    BOOST_TEST(QCoreApplication::exec() == 0);
    BOOST_TEST(it.is_done());
    BOOST_TEST(ticks == widget::enough);
}
