// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_FOREIGN_GLIB_GLIB_GUEST_HPP
#define LOOPS_SRC_FOREIGN_GLIB_GLIB_GUEST_HPP

#include <loops/loop_guest.hpp>

#include "foreign/poll_set.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include <glib.h>

namespace loops_foreign {

struct unref_context
{
    void operator()(GMainContext* context) const { g_main_context_unref(context); }
};
using context_pointer = std::unique_ptr<GMainContext, unref_context>;

// Null: the default one.
inline context_pointer hold(GMainContext* context)
{
    return context_pointer(
        g_main_context_ref(context != nullptr ? context : g_main_context_default()));
}

// A context that is run along with a loop.
class glib_context final : public loops::loop_guest
{
public:
    glib_context(context_pointer context, bool has_work)
        : context_(std::move(context)), has_work_(has_work)
    {}
    ~glib_context() override;

    GMainContext* get() const noexcept { return context_.get(); }

    bool run_ready() override;
    std::optional<std::chrono::milliseconds> prepare() override;
    int native_handle() const override { return descriptors_.native_handle(); }
    bool has_work() const override { return has_work_; }

private:
    bool own();

    const context_pointer context_;
    const bool has_work_;
    const GThread* owner_ = nullptr;
    poll_set descriptors_;
    std::vector<GPollFD> wanted_;
};

} // namespace loops_foreign

#endif
