// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Time as policies of virtual time tell it. Asio offers no look at its queue of timers; but it asks, by
// wait_traits, how long to wait for the earliest one of loop_clock. On a thread that runs such a loop the answer
// is "look again at once", and what was asked for is what the time jumps to.

#include <loops/backend.hpp>
#include <loops/loop_clock.hpp>

#include "detail/fork.hpp"
#include "detail/loop_probe.hpp"
#include "detail/thread_state.hpp"
#include "detail/virtual_time.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// How long Asio waits, in real time, for what is due some time in virtual time.
constexpr auto look_interval = 1ms;

// No timer waits for longer: what is later means never.
constexpr auto never = std::chrono::hours(24 * 365 * 100);

// How long Asio may take to notice a timer that is set: the kernel tells it, and a virtual machine's CPUs may stand still.
constexpr auto patience = 10ms;

// What has been in Asio for longer is in a handler: a look takes some microseconds, but its thread may lose the CPU.
constexpr auto longest_look = 20ms;

// How long a run with nothing to do looks away.
constexpr auto nap = 100us;

thread_local virtual_run* run_of_thread = nullptr;

// What before_next_look() throws, out of Asio's reactor, where nothing but the next timer is wanted.
struct was_asked
{};

} // namespace

struct time_keeper
{
    std::atomic<std::size_t> on{0};
    std::atomic<loop_clock::rep> now{0};
    std::atomic<std::uint64_t> activity{0};     // handlers that ran
    std::atomic<steady_clock::rep> moved_at{0}; // when, really, somebody moved the time on

    fork_mutex mutex; // guards what follows, and changes of `now`
    unsigned generation = fork_generation();
    std::multiset<loop_clock::time_point> marks;
    std::size_t holds = 0;
    std::vector<virtual_run*> runs; // the inner ones of nested runs

    // Locks the mutex. In a forked child, what the parent's other threads did is over.
    std::unique_lock<std::mutex> lock()
    {
        std::unique_lock<std::mutex> locked(mutex);
        if (generation == fork_generation())
            return locked;
        generation = fork_generation();
        marks.clear();
        holds = 0;
        runs.clear();
        if (run_of_thread != nullptr)
            runs.push_back(run_of_thread);
        return locked;
    }

    static time_keeper& instance()
    {
        static auto* const all = new time_keeper; // for threads that outlive static objects
        return *all;
    }

    loop_clock::time_point time() const noexcept
    {
        return loop_clock::time_point(loop_clock::duration(now.load(std::memory_order_acquire)));
    }

    void set_time(loop_clock::time_point at) noexcept
    {
        now.store(at.time_since_epoch().count(), std::memory_order_release);
    }

    // A handler of one run may have given work to another that found nothing before; and one may be in a
    // handler that somebody else gave it.
    bool all_idle() const
    {
        const auto real = steady_clock::now().time_since_epoch();
        return std::all_of(runs.begin(), runs.end(), [&](const virtual_run* each) {
            const steady_clock::duration since(each->inside_since_.load(std::memory_order_acquire));
            return each->seen_ == activity.load(std::memory_order_acquire) &&
                   (since == 0ns || real - since < longest_look);
        });
    }

    void jump()
    {
        const auto locked = lock();
        if (holds > 0 || !all_idle())
            return;
        auto next = loop_clock::time_point::max();
        for (const virtual_run* each : runs)
            next = std::min(next, each->next_);
        if (!marks.empty())
            next = std::min(next, *marks.begin());
        if (next > time() && next - time() < never)
            set_time(next);
    }
};

virtual_time::virtual_time(bool jumps_by_itself, std::chrono::nanoseconds idle_time)
    : jumps(jumps_by_itself), idle(idle_time)
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    if (all.on == 0)
        all.set_time(steady_clock::now());
    ++all.on;
}

virtual_time::~virtual_time()
{
    --time_keeper::instance().on;
}

bool virtual_time::is_on() noexcept
{
    return time_keeper::instance().on.load(std::memory_order_acquire) != 0;
}

void virtual_time::advance(loop_clock::duration by)
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    all.set_time(all.time() + by);
    all.moved_at = steady_clock::now().time_since_epoch().count();
}

time_hold::time_hold()
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    ++all.holds;
}

time_hold::~time_hold()
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    if (all.holds > 0)
        --all.holds;
}

time_mark::time_mark(loop_clock::time_point at) : at_(at)
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    all.marks.insert(at);
}

time_mark::~time_mark()
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    const auto found = all.marks.find(at_);
    if (found != all.marks.end())
        all.marks.erase(found);
}

loop_clock::time_point to_real_time(loop_clock::time_point at) noexcept
{
    return virtual_time::is_on() ? steady_clock::now() + (at - loop_clock::now()) : at;
}

virtual_run::virtual_run(std::shared_ptr<const virtual_time> time)
    : time_(std::move(time)),
      outer_(run_of_thread),
      idle_since_(steady_clock::now()),
      mark_(std::make_shared<loop_mark>())
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    if (outer_ != nullptr)
        *std::find(all.runs.begin(), all.runs.end(), outer_) = this;
    else
        all.runs.push_back(this);
    seen_ = ++all.activity - 1;
    run_of_thread = this;
}

virtual_run::~virtual_run()
{
    time_keeper& all = time_keeper::instance();
    const auto locked = all.lock();
    const auto self = std::find(all.runs.begin(), all.runs.end(), this);
    if (outer_ != nullptr)
    {
        outer_->seen_ = ++all.activity - 1; // it is inside of a handler
        *self = outer_;
    }
    else
    {
        all.runs.erase(self);
    }
    run_of_thread = outer_;
}

void virtual_run::ran() noexcept
{
    if (time_->idle > 0ns)
    {
        idle_since_ = steady_clock::now();
        eager_since_.reset();
    }
    ++time_keeper::instance().activity;
}

namespace {

// A mark was met that its owner does not count as a handler either.
void discount_mark()
{
    run_frame* const run = thread_state::of_this_thread().run;
    if (run != nullptr && run->probes > 0)
        --run->probes;
}

} // namespace

// That a run is inside of Asio, and may be in a handler there.
class virtual_run::inside
{
public:
    explicit inside(virtual_run& run) : since_(run.inside_since_)
    {
        since_.store(steady_clock::now().time_since_epoch().count(), std::memory_order_release);
    }
    inside(const inside&) = delete;
    inside& operator=(const inside&) = delete;
    ~inside() { since_.store(0, std::memory_order_release); }

private:
    std::atomic<steady_clock::rep>& since_;
};

std::size_t virtual_run::run_one(
    asio::io_context& loop, const std::optional<loop_clock::time_point>& deadline)
{
    time_keeper& all = time_keeper::instance();
    const auto begin = steady_clock::now();
    if (!time_->jumps || begin - idle_since_ < time_->idle)
        eager_since_.reset();
    else if (!eager_since_)
        eager_since_ = begin;
    const std::uint64_t before = all.activity;
    if (known_ != before)
        active_since_ = begin;
    known_ = before;
    noted_ = loop_clock::time_point::max();
    looked_.reset();
    std::size_t ran = look(loop);
    if (ran == 0 && looked_ && eager_since_ && backend() == backend_type::select)
    {
        ran = ask(loop);
        if (noted_ == loop_clock::time_point::max())
            return ran; // the timer has gone, or the time to ask had passed before Asio began
    }
    if (ran == 0 && !loop.stopped() && noted_ == loop_clock::time_point::max())
    {
        // Not by Asio: one of its runs that waits for a time may run a handler that came after a stop().
        std::this_thread::sleep_for(nap);
        ran = look(loop);
    }
    if (ran > 0 || loop.stopped() || !eager_since_)
        return ran;
    // Asio asks nothing where there is no timer; nor at once, where another thread has set one just now. What counts is
    // when it looked: this thread may not have run since.
    if (noted_ == loop_clock::time_point::max() &&
        begin - std::max(*eager_since_, active_since_) <= patience)
        return 0;
    {
        const auto locked = all.lock();
        seen_ = before;
        next_ = std::min(noted_, deadline.value_or(loop_clock::time_point::max()));
    }
    all.jump();
    return 0;
}

// The other reactors ask for the next timer whenever they run, but select() does only where it waits. The exception
// ends that before a handler can run that came after a stop().
std::size_t virtual_run::ask(asio::io_context& loop)
{
    struct asking
    {
        explicit asking(bool& value) : on(value) { on = true; }
        ~asking() { on = false; }
        bool& on;
    } const now(asking_);
    try
    {
        const inside asio(*this);
        return loop.run_one_for(nap);
    }
    catch (const was_asked&)
    {
        return 0;
    }
}

// Asio looks at timers that it took for later within a moment only.
std::size_t virtual_run::poll_one(asio::io_context& loop)
{
    const std::size_t ran = look(loop);
    const auto moved =
        steady_clock::time_point(steady_clock::duration(time_keeper::instance().moved_at.load()));
    if (ran > 0 || loop.stopped() || steady_clock::now() - moved > 2 * look_interval)
        return ran;
    std::this_thread::sleep_for(2 * look_interval);
    return look(loop);
}

std::size_t virtual_run::look(asio::io_context& loop)
{
    const inside asio(*this);
    if (backend() != backend_type::io_uring)
        return loop.poll_one();
    // There Asio hands on what is begun by an operation of its own, which it counts, and with a timer there is one at
    // each look. A mark tells what is found from that.
    for (bool looked = false;;)
    {
        const next_operation next = next_of(loop);
        if (next == next_operation::none)
        {
            if (std::exchange(looked, true))
                return 0;
            loop_mark::put(mark_, loop);
        }
        const bool marked = mark_->is_out();
        const std::size_t one = loop.poll_one();
        if (one == 0)
            return 0;
        if (marked && !mark_->is_out())
            discount_mark();
        else if (next != next_operation::own)
            return one;
    }
}

loop_clock::duration virtual_run::note(loop_clock::duration left)
{
    // Asio took the time on this thread, and another run may have moved it on since.
    noted_ = std::min(noted_, looked_.value_or(time_keeper::instance().time()) +
                                  std::clamp<loop_clock::duration>(left, 0ns, 2 * never));
    if (asking_)
        throw was_asked();
    return eager_since_ ? left.zero() : std::min<loop_clock::duration>(left, look_interval);
}

loop_clock::duration before_next_look(loop_clock::duration left)
{
    if (!virtual_time::is_on())
        return left;
    if (virtual_run* const run = run_of_thread)
        return run->note(left);
    return std::min<loop_clock::duration>(left, look_interval);
}

} // namespace detail

loop_clock::time_point loop_clock::now() noexcept
{
    const detail::time_keeper& all = detail::time_keeper::instance();
    if (all.on.load(std::memory_order_acquire) == 0)
        return std::chrono::steady_clock::now();
    const time_point now = all.time();
    if (detail::run_of_thread != nullptr)
        detail::run_of_thread->note_look(now);
    return now;
}

} // namespace LOOPS_ABI
} // namespace loops
