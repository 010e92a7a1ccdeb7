// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "subject.hpp"

#include <map>
#include <memory>

#include <glib.h>

namespace children {
namespace {

// Watches children that anybody started, by their number. A context of its own is its loop.
class glib_subject : public subject
{
public:
    using subject::subject;

    void start_failing() override
    {
        char program[] = "/nonexistent/program";
        char* argv[] = {program, nullptr};
        GError* error = nullptr;
        if (!g_spawn_async(nullptr, argv, nullptr, G_SPAWN_DO_NOT_REAP_CHILD, nullptr, nullptr,
                nullptr, &error))
        {
            const std::string what = error->message;
            g_error_free(error);
            throw refused(what);
        }
    }

    int watch(pid_t pid, then action) override
    {
        if (action == then::throws)
            throw not_offered(); // through C
        const auto ticket = new_wait(action);
        GSource* const source = g_child_watch_source_new(pid);
        // The cast that GLib's manual wants: the source calls it with these arguments.
        g_source_set_callback(source,
            reinterpret_cast<GSourceFunc>(reinterpret_cast<void*>(on_end)),
            new watched{this, ticket}, [](void* it) { delete static_cast<watched*>(it); });
        g_source_attach(source, context_);
        sources_[*ticket] = source;
        return *ticket;
    }

    void run(long milliseconds, std::size_t reports) override
    {
        const double end = monotonic_nanoseconds() + static_cast<double>(milliseconds) * 1e6;
        GSource* const timer = g_timeout_source_new(static_cast<unsigned>(milliseconds));
        g_source_set_callback(
            timer, [](void*) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr, nullptr);
        g_source_attach(timer, context_);
        while (this->reports().size() < reports && monotonic_nanoseconds() < end)
            g_main_context_iteration(context_, TRUE);
        g_source_destroy(timer);
        g_source_unref(timer);
    }

    void cancel(int wait) override { drop(wait); }

    void drop(int wait) override
    {
        const auto at = sources_.find(wait);
        if (at == sources_.end())
            return;
        GSource* const source = at->second;
        sources_.erase(at);
        g_source_destroy(source);
        g_source_unref(source);
    }

    void drop_loop() override
    {
        g_main_context_unref(context_);
        context_ = nullptr;
    }

    void close() override
    {
        while (!sources_.empty())
            drop(sources_.begin()->first);
        drop_loop();
    }

private:
    struct watched
    {
        glib_subject* owner;
        std::shared_ptr<int> ticket;
    };

    static void on_end(GPid, int status, void* data)
    {
        const auto it = static_cast<watched*>(data);
        const auto owner = it->owner;
        const auto ticket = it->ticket; // a drop frees what holds it
        owner->tell(*ticket, status);
    }

    GMainContext* context_ = g_main_context_new();
    std::map<int, GSource*> sources_;
};

} // namespace

void add_glib(std::vector<kind>& all)
{
    all.push_back({"GLib", [](const setup& before) -> std::unique_ptr<subject> {
                       return std::make_unique<glib_subject>(before);
                   }});
}

} // namespace children
