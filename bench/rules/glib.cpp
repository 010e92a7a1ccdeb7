// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "rules.hpp"

#include <glib.h>

namespace rules {
namespace {

// What code gets that asks for its thread's context; a reference, which is kept.
GMainContext* thread_context()
{
    return g_main_context_ref_thread_default();
}

word own_loop()
{
    GMainContext* const here = thread_context();
    return yes_or(here != elsewhere(thread_context), "one for all, unless set");
}

word dead_loop()
{
    GMainContext* const mine = g_main_context_new();
    g_main_context_push_thread_default(mine);
    g_main_context_unref(mine);
    // It is kept alive, by what it is current for.
    return yes_or(thread_context() == mine && !g_main_context_pending(mine), "another one");
}

word early_stop()
{
    GMainLoop* const loop = g_main_loop_new(nullptr, FALSE);
    bool late = false;
    struct both
    {
        GMainLoop* loop;
        bool* late;
    } it{loop, &late};
    g_timeout_add(
        200,
        [](gpointer data) -> gboolean {
            auto* const both_of = static_cast<both*>(data);
            *both_of->late = true;
            g_main_loop_quit(both_of->loop);
            return G_SOURCE_REMOVE;
        },
        &it);
    g_main_loop_quit(loop);
    g_main_loop_run(loop);
    return yes_or(!late, "it is lost");
}

word pending()
{
    bool released = false;
    GMainContext* const context = g_main_context_new();
    GSource* const source = g_timeout_source_new(1000);
    g_source_set_callback(
        source, [](gpointer) -> gboolean { return G_SOURCE_REMOVE; }, &released,
        [](gpointer data) { *static_cast<bool*>(data) = true; });
    g_source_attach(source, context);
    g_source_unref(source);
    g_main_context_unref(context);
    return yes_or(released, "it stays");
}

} // namespace

const subject of_glib = {
    "GLib", own_loop, dead_loop, early_stop, nullptr, pending, nullptr, nullptr, nullptr, nullptr};

} // namespace rules
