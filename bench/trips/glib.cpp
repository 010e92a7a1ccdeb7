// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "loop_threads.hpp"

#include <glib.h>

namespace trips {
namespace {

class glib_wakes
{
public:
    glib_wakes() = default;
    glib_wakes(const glib_wakes&) = delete;
    glib_wakes& operator=(const glib_wakes&) = delete;
    ~glib_wakes()
    {
        g_main_loop_unref(loop_);
        g_main_context_unref(context_);
    }

    void run() { g_main_loop_run(loop_); }

    // A source for each, as g_main_context_invoke() makes it; but that would call it here and now
    // while the loop's thread has not begun.
    void wake() { attach(&on_wake); }
    void stop() { attach(&on_stop); }

    std::function<void()> woken;

private:
    void attach(GSourceFunc what)
    {
        GSource* const source = g_idle_source_new();
        g_source_set_priority(source, G_PRIORITY_DEFAULT);
        g_source_set_callback(source, what, this, nullptr);
        g_source_attach(source, context_);
        g_source_unref(source);
    }

    static gboolean on_wake(gpointer self)
    {
        static_cast<glib_wakes*>(self)->woken();
        return G_SOURCE_REMOVE;
    }
    static gboolean on_stop(gpointer self)
    {
        g_main_loop_quit(static_cast<glib_wakes*>(self)->loop_);
        return G_SOURCE_REMOVE;
    }

    GMainContext* const context_ = g_main_context_new();
    GMainLoop* const loop_ = g_main_loop_new(context_, FALSE);
};

} // namespace

void add_glib(std::vector<setting>& all)
{
    all.push_back({"GLib", [] { return std::make_unique<loop_threads<glib_wakes>>(); }});
}

} // namespace trips
