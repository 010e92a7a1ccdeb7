// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "worker.hpp"

#include <loops/make_policy.hpp>
#include <loops/policy.hpp>

#include "held_signals.hpp"
#include "listener.hpp"
#include "print.hpp"
#include "scoreboard.hpp"
#include "session.hpp"
#include "site.hpp"
#include "worker_start.hpp"

#include <iostream>
#include <memory>
#include <utility>

#include <unistd.h>

namespace prefork {
namespace {

void enter(worker_slot& slot)
{
    slot.requests = 0;
    slot.connections = 0;
    slot.started_ms = monotonic_ms();
    slot.pid = ::getpid();
}

// As the master's supervisor wants it: by a line's end.
void say_ready(descriptor& to)
{
    [[maybe_unused]] const auto written = ::write(to.get(), "\n", 1);
    to.reset();
}

} // namespace

int run_worker(const options& from)
{
    hold_stop_signals();
    inheritance inherited = inherit(*from.worker);
    const auto page = std::make_shared<const shared_scoreboard>(std::move(inherited.page));
    enter((*page)->rows[from.worker->index].slots[from.worker->slot]);

    // This is all that the choice of a policy takes; nothing below knows which one it is.
    const std::shared_ptr<loops::event_loop_policy> policy = loops::make_policy(from.policy);
    loops::set_event_loop_policy(policy);
    policy->collect_stats(); // for the page that shows them

    const auto content = std::make_shared<site>(*policy, from.policy, page, *from.worker);
    const auto sessions = std::make_shared<session_list>();
    {
        const auto entrance = std::make_shared<listener>(loops::select_event_loop(),
            std::move(inherited.listening), content, sessions,
            [ready = std::make_shared<descriptor>(std::move(inherited.ready))] {
                say_ready(*ready);
            });
        // The policy keeps the function for longer than its loops: it must not own what is on one.
        policy->on_drain([entrance = std::weak_ptr<listener>(entrance), sessions] {
            if (const auto open = entrance.lock())
                open->close();
            sessions->finish();
        });
        entrance->start(); // its own from here on, until it is closed
    }

    const loops::drain_report report = policy->run_until_signal(from.grace);
    if (!report.complete)
        print_line(std::cerr,
            "worker " + std::to_string(::getpid()) + " ends with connections that did not");
    policy->close();
    return 0;
}

} // namespace prefork
