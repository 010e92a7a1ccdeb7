// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "starters.hpp"

#include <stdexcept>

#include <uv.h>

namespace starts {
namespace {

class libuv_starter : public starter
{
public:
    explicit libuv_starter(std::string program) : program_(std::move(program))
    {
        uv_loop_init(&loop_);
    }

    ~libuv_starter() override { uv_loop_close(&loop_); }

    void start_and_wait() override
    {
        uv_process_t process{};
        uv_process_options_t options{};
        char* arguments[] = {const_cast<char*>(program_.c_str()), nullptr};
        options.file = program_.c_str();
        options.args = arguments;
        options.exit_cb = [](uv_process_t* it, int64_t, int) {
            uv_close(reinterpret_cast<uv_handle_t*>(it), nullptr);
        };
        if (const int error = uv_spawn(&loop_, &process, &options); error != 0)
            throw std::runtime_error(uv_strerror(error));
        uv_run(&loop_, UV_RUN_DEFAULT);
    }

private:
    const std::string program_;
    uv_loop_t loop_{};
};

} // namespace

void add_libuv(std::vector<kind>& all)
{
    all.push_back(kind_of<libuv_starter>("libuv"));
}

} // namespace starts
