// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

//! What tokio does about a rule that loop_guarantees tries: a word of its table.

use crate::system;
use std::future;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{mpsc, Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time;

fn runtime() -> Runtime {
    let built = Builder::new_current_thread().enable_all().build();
    built.expect("a runtime")
}

fn yes_or(held: bool, otherwise: &str) -> String {
    if held {
        "yes".to_owned()
    } else {
        format!("no: {otherwise}")
    }
}

fn own_loop() -> String {
    let _running = runtime();
    let asked = thread::spawn(|| Handle::try_current().is_ok()).join();
    yes_or(asked.unwrap_or(false), "refused outside of a runtime")
}

fn close_running() -> String {
    let running = runtime();
    let inner = runtime();
    let refused =
        running.block_on(async { panic::catch_unwind(AssertUnwindSafe(|| drop(inner))).is_err() });
    yes_or(refused, "it is closed")
}

fn pending() -> String {
    let waits_on = runtime();
    let held = Arc::new(());
    let gone: Weak<()> = Arc::downgrade(&held);
    waits_on.spawn(async move {
        future::pending::<()>().await;
        drop(held);
    });
    waits_on.block_on(tokio::task::yield_now());
    drop(waits_on);
    yes_or(gone.upgrade().is_none(), "it stays")
}

fn restores() -> String {
    let outer = runtime();
    let _entered = outer.enter();
    runtime().block_on(async {});
    let task = Handle::current().spawn(async {});
    yes_or(outer.block_on(task).is_ok(), "it is another one")
}

fn in_fork() -> String {
    let running = runtime();
    let in_child = running.block_on(async { system::in_fork(|| Handle::try_current().is_ok()) });
    match in_child {
        Ok(found) => yes_or(!found, "the parent's is"),
        Err(problem) => format!("no: {problem}"),
    }
}

fn day() -> String {
    let begin = Instant::now();
    let paused = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let waits = async { time::sleep(Duration::from_secs(24 * 60 * 60)).await };
    paused.expect("a runtime").block_on(waits);
    yes_or(begin.elapsed() < Duration::from_secs(5), "it takes a day")
}

/// The task that was made last is kept for the thread that made it: the one before can be taken.
fn taken() -> String {
    let two = Builder::new_multi_thread().worker_threads(2).build();
    let running = two.expect("a runtime");
    let ran = running.block_on(running.spawn(async {
        let (say, said) = mpsc::channel();
        tokio::spawn(async move { say.send(()) });
        tokio::spawn(async {});
        said.recv_timeout(Duration::from_secs(5)).is_ok()
    }));
    yes_or(ran.unwrap_or(false), "it waits")
}

/// None: there is no such rule.
pub fn word(rule: &str) -> Option<String> {
    // A panic that is looked for says nothing.
    panic::set_hook(Box::new(|_| ()));
    Some(match rule {
        "own_loop" => own_loop(),
        "close_running" => close_running(),
        "pending" => pending(),
        "restores" => restores(),
        "in_fork" => in_fork(),
        "day" => day(),
        "taken" => taken(),
        _ => return None,
    })
}
