// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define LOOPS_WITH_BOOST_PROCESS_V1

#include <loops/detail/boost_process.hpp>

#include "asio_loop.hpp"
#include "subject.hpp"

#include <map>
#include <memory>
#include <system_error>
#include <vector>

namespace asio = boost::asio;
namespace process = loops::detail::boost_process_v1;

namespace children {
namespace {

// The handler of a child's end is given when it is started, and there is no other.
class boost_v1_subject : public subject
{
public:
    using subject::subject;

    ~boost_v1_subject() override { detach_all(); }

    bool starts() const override { return true; }
    bool attaches() const override { return false; }

    pid_t start(const arguments& args) override
    {
        auto words = command(args);
        const std::string program = words.front();
        words.erase(words.begin());
        const auto ticket = new_wait();
        auto made = std::make_unique<process::child>(
            process::exe = program, process::args = words, *loop_,
            process::on_exit = [this, ticket](int code, const std::error_code& ec) {
                const auto at = processes_.find(*ticket);
                // The code alone does not tell a signal from an exit.
                const int status =
                    at != processes_.end() ? at->second->native_exit_code() : code << 8;
                tell(*ticket, status, ec ? ec.message() : std::string());
            });
        const pid_t pid = made->id();
        processes_[*ticket] = std::move(made);
        begun_[pid] = *ticket;
        return pid;
    }

    void start_failing() override
    {
        process::child(
            process::exe = "/nonexistent/program", *loop_,
            process::on_exit = [](int, const std::error_code&) {});
    }

    int watch(pid_t pid, then action) override { return take_begun(pid, action); }

    void run(long milliseconds, std::size_t reports) override
    {
        run_asio(*loop_, milliseconds, [&] { return this->reports().size() >= reports; });
    }

    void drop(int wait) override { processes_.erase(wait); }

    void drop_loop() override
    {
        detach_all();
        loop_.reset();
    }

    void close() override { drop_loop(); }

private:
    void detach_all()
    {
        for (auto& it : processes_)
            it.second->detach(); // the destructor kills
        processes_.clear();
    }

    std::unique_ptr<asio::io_context> loop_ = std::make_unique<asio::io_context>();
    std::map<int, std::unique_ptr<process::child>> processes_;
};

} // namespace

void add_boost_v1(std::vector<kind>& all)
{
    all.push_back({"Boost.Process v1", [](const setup& before) -> std::unique_ptr<subject> {
                       return std::make_unique<boost_v1_subject>(before);
                   }});
}

} // namespace children
