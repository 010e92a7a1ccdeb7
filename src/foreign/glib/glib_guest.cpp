// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "foreign/glib/glib_guest.hpp"

#include <loops/foreign/glib.hpp>

#include <utility>

namespace loops_foreign {
namespace {

using std::chrono::milliseconds;

// How long until it is tried again to own a context that another thread has.
constexpr milliseconds owned_elsewhere(10);

// Makes a context the thread's default one.
class default_scope
{
public:
    explicit default_scope(GMainContext* context) : context_(context)
    {
        g_main_context_push_thread_default(context_);
    }
    default_scope(const default_scope&) = delete;
    default_scope& operator=(const default_scope&) = delete;
    ~default_scope() { g_main_context_pop_thread_default(context_); }

private:
    GMainContext* const context_;
};

} // namespace

glib_context::~glib_context()
{
    if (owner_ != nullptr)
        g_main_context_release(context_.get());
}

// As in g_main_loop_run(), the thread owns the context all the time: else g_main_context_invoke() of another thread would call
// its function there. The loop may be run by one thread after the other.
bool glib_context::own()
{
    const GThread* const self = g_thread_self();
    if (owner_ == self)
        return true;
    if (owner_ != nullptr)
        g_main_context_release(context_.get());
    owner_ = g_main_context_acquire(context_.get()) != FALSE ? self : nullptr;
    return owner_ != nullptr;
}

bool glib_context::run_ready()
{
    if (!own())
        return false;
    const default_scope scope(context_.get());
    return g_main_context_iteration(context_.get(), FALSE) != FALSE;
}

std::optional<milliseconds> glib_context::prepare()
{
    if (!own())
        return owned_elsewhere;
    const default_scope scope(context_.get());
    gint priority = 0;
    gint timeout = -1;
    g_main_context_prepare(context_.get(), &priority);
    const auto query = [&] {
        return static_cast<std::size_t>(g_main_context_query(
            context_.get(), priority, &timeout, wanted_.data(), static_cast<gint>(wanted_.size())));
    };
    std::size_t size = query();
    while (size > wanted_.size())
    {
        wanted_.resize(size);
        size = query();
    }
    if (timeout != 0)
        descriptors_.assign(wanted_.data(), size);
    return timeout < 0 ? std::nullopt : std::optional(milliseconds(timeout));
}

} // namespace loops_foreign

namespace loops {
inline namespace LOOPS_ABI {

struct glib_guest::impl
{
    const std::shared_ptr<loops_foreign::glib_context> guest;
};

glib_guest::glib_guest(asio::io_context& loop, GMainContext* context)
    : loop_(loop),
      impl_(new impl{
          std::make_shared<loops_foreign::glib_context>(loops_foreign::hold(context), true)})
{
    add_guest(loop_, impl_->guest);
}

glib_guest::~glib_guest()
{
    remove_guest(loop_, *impl_->guest);
}

GMainContext* glib_guest::context() const noexcept
{
    return impl_->guest->get();
}

} // namespace LOOPS_ABI
} // namespace loops
