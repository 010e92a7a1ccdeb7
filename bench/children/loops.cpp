// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_watcher.hpp>
#include <loops/watcher/fast_child_watcher.hpp>
#include <loops/watcher/multi_loop_child_watcher.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>
#include <loops/watcher/safe_child_watcher.hpp>
#include <loops/watcher/threaded_child_watcher.hpp>

#include "asio_loop.hpp"
#include "subject.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <map>
#include <memory>
#include <utility>

namespace asio = boost::asio;

namespace children {
namespace {

class loops_subject : public subject
{
public:
    loops_subject(const setup& before, std::shared_ptr<loops::child_watcher> (*make)(), bool attach)
        : subject(before), watcher_(make())
    {
        if (attach)
            watcher_->attach_loop(*loop_);
    }

    int watch(pid_t pid, then action) override
    {
        const auto ticket = new_wait(action);
        watcher_->async_wait(pid,
            asio::bind_cancellation_slot(signals_[*ticket].slot(),
                asio::bind_executor(loop_->get_executor(),
                    [this, ticket](const loops::error_code& ec, const loops::child_exit& exit) {
                        tell(*ticket, exit.native_status(), ec ? ec.message() : std::string());
                    })));
        return *ticket;
    }

    void run(long milliseconds, std::size_t reports) override
    {
        run_asio(*loop_, milliseconds, [&] { return this->reports().size() >= reports; });
    }

    void cancel(int wait) override { signals_[wait].emit(asio::cancellation_type::total); }

    void drop_watcher(int) override { watcher_.reset(); }
    void drop_loop() override { loop_.reset(); }

    void close() override
    {
        watcher_.reset();
        loop_.reset();
    }

private:
    std::map<int, asio::cancellation_signal> signals_;
    std::unique_ptr<asio::io_context> loop_ = std::make_unique<asio::io_context>();
    std::shared_ptr<loops::child_watcher> watcher_;
};

template <class Watcher>
void add(std::vector<kind>& all, const char* name, bool attach = false)
{
    all.push_back({name, [attach](const setup& before) -> std::unique_ptr<subject> {
                       return std::make_unique<loops_subject>(
                           before,
                           []() -> std::shared_ptr<loops::child_watcher> {
                               return std::make_shared<Watcher>();
                           },
                           attach);
                   }});
}

} // namespace

void add_loops(std::vector<kind>& all)
{
    add<loops::pidfd_child_watcher>(all, "Loops pidfd");
    add<loops::threaded_child_watcher>(all, "Loops threaded");
    add<loops::multi_loop_child_watcher>(all, "Loops multi_loop");
    add<loops::safe_child_watcher>(all, "Loops safe", true);
    add<loops::fast_child_watcher>(all, "Loops fast", true);
}

} // namespace children
