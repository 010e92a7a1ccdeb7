// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "subject.hpp"

#include <map>
#include <memory>

#include <ev.h>

namespace children {
namespace {

// Watches children that anybody started, by their number: on the default loop, which is the only one that
// watches children.
class libev_subject : public subject
{
public:
    explicit libev_subject(const setup& before) : subject(before), loop_(ev_default_loop(0))
    {
        if (loop_ == nullptr)
            throw refused("ev_default_loop");
    }

    int watch(pid_t pid, then action) override
    {
        if (action == then::throws)
            throw not_offered(); // through C
        auto made = std::make_unique<watched>();
        made->owner = this;
        made->ticket = new_wait(action);
        made->child.data = made.get();
        ev_child_init(&made->child, on_end, pid, 0);
        ev_child_start(loop_, &made->child);
        const int wait = *made->ticket;
        all_[wait] = std::move(made);
        return wait;
    }

    void run(long milliseconds, std::size_t reports) override
    {
        const double end = monotonic_nanoseconds() + static_cast<double>(milliseconds) * 1e6;
        ev_timer timer;
        // Repeated: it may come a little before the time by our clock, and would be the last that
        // wakes.
        ev_now_update(loop_);
        ev_timer_init(
            &timer, [](struct ev_loop*, ev_timer*, int) {},
            static_cast<double>(milliseconds) / 1000, 0.001);
        ev_timer_start(loop_, &timer);
        while (this->reports().size() < reports && monotonic_nanoseconds() < end)
            ev_run(loop_, EVRUN_ONCE);
        ev_timer_stop(loop_, &timer);
    }

    void cancel(int wait) override { drop(wait); }

    void drop(int wait) override
    {
        const auto at = all_.find(wait);
        if (at == all_.end())
            return;
        ev_child_stop(loop_, &at->second->child);
        all_.erase(at);
    }

    void drop_loop() override { ev_loop_destroy(loop_); }

    void close() override
    {
        while (!all_.empty())
            drop(all_.begin()->first);
        drop_loop();
    }

private:
    struct watched
    {
        ev_child child;
        std::shared_ptr<int> ticket;
        libev_subject* owner;
    };

    static void on_end(struct ev_loop* loop, ev_child* child, int)
    {
        const auto it = static_cast<watched*>(child->data);
        const auto owner = it->owner;
        const auto ticket = it->ticket; // a drop frees what holds it
        const int status = child->rstatus;
        ev_child_stop(loop, child);
        owner->tell(*ticket, status);
    }

    struct ev_loop* const loop_;
    std::map<int, std::unique_ptr<watched>> all_; // by the wait
};

} // namespace

void add_libev(std::vector<kind>& all)
{
    all.push_back({"libev", [](const setup& before) -> std::unique_ptr<subject> {
                       return std::make_unique<libev_subject>(before);
                   }});
}

} // namespace children
