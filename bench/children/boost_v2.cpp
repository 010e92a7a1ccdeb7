// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/boost_process.hpp>

#include "asio_loop.hpp"
#include "subject.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <map>
#include <memory>
#include <vector>

namespace asio = boost::asio;
namespace process_v2 = boost::process::v2;

namespace children {
namespace {

// Starts with its own launcher; what was started otherwise is attached by its number.
class boost_v2_subject : public subject
{
public:
    using subject::subject;

    ~boost_v2_subject() override { processes_.clear(); }

    bool starts() const override { return true; }

    pid_t start(const arguments& args) override
    {
        auto words = command(args);
        const std::string program = words.front();
        words.erase(words.begin());
        auto made = std::make_unique<process_v2::process>(*loop_, program, words);
        const pid_t pid = made->id();
        processes_[pid] = std::move(made);
        return pid;
    }

    void start_failing() override
    {
        process_v2::process(*loop_, "/nonexistent/program", std::vector<std::string>());
    }

    int watch(pid_t pid, then action) override
    {
        auto& process = processes_[pid];
        if (!process)
            process = std::make_unique<process_v2::process>(loop_->get_executor(), pid);
        const auto ticket = new_wait(action);
        pids_[*ticket] = pid;
        process->async_wait(asio::bind_cancellation_slot(signals_[*ticket].slot(),
            [this, ticket](const boost::system::error_code& ec, int code) {
                const auto at = processes_.find(pids_[*ticket]);
                // The code alone does not tell a signal from an exit.
                const int status =
                    at != processes_.end() && !ec ? at->second->native_exit_code() : code << 8;
                tell(*ticket, status, ec ? ec.message() : std::string());
            }));
        return *ticket;
    }

    void run(long milliseconds, std::size_t reports) override
    {
        run_asio(*loop_, milliseconds, [&] { return this->reports().size() >= reports; });
    }

    void cancel(int wait) override { signals_[wait].emit(asio::cancellation_type::total); }
    void cancel_harder(int wait) override
    {
        signals_[wait].emit(asio::cancellation_type::terminal);
    }

    void drop(int wait) override { processes_.erase(pids_[wait]); }

    void drop_loop() override
    {
        // The objects hold the loop's descriptors, and their destructors kill.
        for (auto& it : processes_)
            it.second->detach();
        processes_.clear();
        loop_.reset();
    }

    void close() override { drop_loop(); }

private:
    std::map<int, asio::cancellation_signal> signals_;
    std::map<int, pid_t> pids_;
    std::unique_ptr<asio::io_context> loop_ = std::make_unique<asio::io_context>();
    std::map<pid_t, std::unique_ptr<process_v2::process>> processes_;
};

} // namespace

void add_boost_v2(std::vector<kind>& all)
{
    all.push_back({"Boost.Process v2", [](const setup& before) -> std::unique_ptr<subject> {
                       return std::make_unique<boost_v2_subject>(before);
                   }});
}

} // namespace children
