// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "subject.hpp"

#include <memory>
#include <vector>

#include <uv.h>

namespace children {
namespace {

void check(int error)
{
    if (error < 0)
        throw refused(uv_strerror(error));
}

// A process and its watch are one; it is started and watched by one call.
class libuv_subject : public subject
{
public:
    explicit libuv_subject(const setup& before) : subject(before)
    {
        check(uv_loop_init(&loop_));
        check(uv_timer_init(&loop_, &timer_));
    }

    ~libuv_subject() override = default;

    bool starts() const override { return true; }
    bool attaches() const override { return false; }

    pid_t start(const arguments& args) override { return start_program(command(args)); }
    void start_failing() override { start_program({"/nonexistent/program"}); }

    int watch(pid_t pid, then action) override
    {
        if (action == then::throws)
            throw not_offered(); // through C
        return take_begun(pid, action);
    }

    void run(long milliseconds, std::size_t reports) override
    {
        const double end = monotonic_nanoseconds() + static_cast<double>(milliseconds) * 1e6;
        uv_update_time(&loop_);
        // Repeated: it may come a little before the time by our clock, and would be the last that
        // wakes.
        uv_timer_start(
            &timer_, [](uv_timer_t*) {}, static_cast<unsigned>(milliseconds), 1);
        while (this->reports().size() < reports && monotonic_nanoseconds() < end)
            uv_run(&loop_, UV_RUN_ONCE);
        uv_timer_stop(&timer_);
    }

    void cancel(int wait) override
    {
        drop(wait);
        uv_run(&loop_, UV_RUN_NOWAIT);
    }

    void drop(int wait) override
    {
        for (watched*& it : all_)
        {
            if (it && *it->ticket == wait)
            {
                // The memory is given back when the loop says so.
                uv_close(reinterpret_cast<uv_handle_t*>(&it->process),
                    [](uv_handle_t* handle) { delete static_cast<watched*>(handle->data); });
                it = nullptr;
            }
        }
    }

    void drop_loop() override { check(uv_loop_close(&loop_)); }

    void close() override
    {
        for (std::size_t i = 0; i < all_.size(); ++i)
            drop(static_cast<int>(i));
        uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
        while (uv_run(&loop_, UV_RUN_NOWAIT) != 0)
            continue;
        uv_loop_close(&loop_);
        uv_library_shutdown();
    }

private:
    struct watched
    {
        uv_process_t process;
        std::shared_ptr<int> ticket;
        libuv_subject* owner;
    };

    pid_t start_program(std::vector<std::string> words)
    {
        const auto argv = pointers(words);
        auto made = std::make_unique<watched>();
        made->owner = this;
        made->ticket = new_wait();
        made->process.data = made.get();
        uv_process_options_t options{};
        options.file = argv[0];
        options.args = const_cast<char**>(argv.data());
        options.exit_cb = [](uv_process_t* process, int64_t code, int signal) {
            const auto it = static_cast<watched*>(process->data);
            const auto ticket = it->ticket;
            it->owner->tell(*ticket, signal != 0 ? signal : static_cast<int>(code) << 8);
        };
        const int error = uv_spawn(&loop_, &made->process, &options);
        const auto it = made.release();
        all_.push_back(it);
        if (error < 0)
        {
            drop(*it->ticket);
            uv_run(&loop_, UV_RUN_NOWAIT);
            throw refused(uv_strerror(error));
        }
        begun_[it->process.pid] = *it->ticket;
        return it->process.pid;
    }

    uv_loop_t loop_{};
    uv_timer_t timer_{};
    std::vector<watched*> all_; // by the wait
};

} // namespace

void add_libuv(std::vector<kind>& all)
{
    all.push_back({"libuv", [](const setup& before) -> std::unique_ptr<subject> {
                       return std::make_unique<libuv_subject>(before);
                   }});
}

} // namespace children
