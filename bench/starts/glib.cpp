// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "starters.hpp"

#include <stdexcept>

#include <glib.h>

namespace starts {
namespace {

class glib_starter : public starter
{
public:
    explicit glib_starter(std::string program) : program_(std::move(program)) {}
    ~glib_starter() override { g_main_loop_unref(loop_); }

    void start_and_wait() override
    {
        char* arguments[] = {const_cast<char*>(program_.c_str()), nullptr};
        GPid pid = 0;
        // With these flags it may use posix_spawn().
        if (g_spawn_async(nullptr, arguments, nullptr,
                static_cast<GSpawnFlags>(
                    G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN),
                nullptr, nullptr, &pid, nullptr) == 0)
            throw std::runtime_error("g_spawn_async");
        g_child_watch_add(
            pid,
            [](GPid ended, gint, gpointer loop) {
                g_spawn_close_pid(ended);
                g_main_loop_quit(static_cast<GMainLoop*>(loop));
            },
            loop_);
        g_main_loop_run(loop_);
    }

private:
    const std::string program_;
    GMainLoop* const loop_ = g_main_loop_new(nullptr, 0);
};

} // namespace

void add_glib(std::vector<kind>& all)
{
    all.push_back(kind_of<glib_starter>("GLib"));
}

} // namespace starts
