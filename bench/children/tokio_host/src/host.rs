// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

use crate::{system, Problem};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::task::{self, JoinHandle};
use tokio::time;

/// What a handler does beside telling.
pub enum Action {
    Nothing,
    Throws,
    Drops,
    StartsLongOne,
}

impl FromStr for Action {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "nothing" => Ok(Action::Nothing),
            "throws" => Ok(Action::Throws),
            "drops" => Ok(Action::Drops),
            "starts_long_one" => Ok(Action::StartsLongOne),
            _ => Err(()),
        }
    }
}

/// A wait that ended.
pub struct Report {
    wait: usize,
    outcome: io::Result<ExitStatus>,
    at: i64,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match &self.outcome {
            Ok(status) => write!(out, "{} {} {}", self.wait, status.into_raw(), self.at),
            Err(problem) => write!(out, "{} 0 {} {problem}", self.wait, self.at),
        }
    }
}

struct Wait {
    pid: u32,
    task: Option<JoinHandle<()>>,
    ticket: Weak<()>, // what holds it is the handler
}

#[derive(Default)]
struct State {
    /// A child is lent to one wait at a time: `Child::wait()` wants it for itself.
    children: HashMap<u32, Arc<tokio::sync::Mutex<Child>>>,
    waits: Vec<Wait>,
    reports: Vec<Report>,
    told: usize,
    long_one: u32,
}

/// What the handlers, which are tasks, share with the host.
struct Shared {
    program: String,
    state: Mutex<State>,
    changed: Notify,
}

impl Shared {
    /// Not to be held while a task awaits something, or panics.
    fn state(&self) -> MutexGuard<State> {
        self.state.lock().unwrap()
    }

    fn start(&self, args: &[&str]) -> io::Result<u32> {
        let child = Command::new(&self.program).args(args).spawn()?;
        let pid = child.id().expect("it was not waited for");
        let child = Arc::new(tokio::sync::Mutex::new(child));
        self.state().children.insert(pid, child);
        Ok(pid)
    }

    fn watch(self: &Arc<Self>, pid: u32, action: Action) -> Result<usize, Problem> {
        let mut state = self.state();
        let child = state.children.get(&pid).ok_or(Problem::NotOffered)?;
        let child = Arc::clone(child).try_lock_owned();
        let child = child.map_err(|_| Problem::NotOffered)?;
        let number = state.waits.len();
        let ticket = Arc::new(());
        state.waits.push(Wait {
            pid,
            ticket: Arc::downgrade(&ticket),
            task: Some(task::spawn(
                Arc::clone(self).handle_end(number, ticket, pid, child, action),
            )),
        });
        Ok(number)
    }

    async fn handle_end(
        self: Arc<Self>,
        number: usize,
        _ticket: Arc<()>,
        pid: u32,
        mut child: OwnedMutexGuard<Child>,
        action: Action,
    ) {
        let outcome = child.wait().await;
        self.tell(number, outcome);
        match action {
            Action::Nothing => {}
            Action::Throws => panic!("thrown by a handler"),
            Action::Drops => self.forget(pid),
            Action::StartsLongOne => {
                self.forget(pid);
                drop(child);
                self.start_long_one();
            }
        }
    }

    fn tell(&self, wait: usize, outcome: io::Result<ExitStatus>) {
        let at = system::monotonic_nanoseconds();
        let mut state = self.state();
        state.reports.push(Report { wait, outcome, at });
        state.told += 1;
        self.changed.notify_one();
    }

    fn start_long_one(self: &Arc<Self>) {
        if let Ok(pid) = self.start(&["sleep", "1000", "0"]) {
            self.state().long_one = pid;
            let _ = self.watch(pid, Action::Nothing);
        }
    }

    /// The object of the child goes when no wait has it.
    fn forget(&self, pid: u32) {
        let child = self.state().children.remove(&pid);
        drop(child);
    }
}

pub struct Host {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    reaper: Option<thread::JoinHandle<i32>>,
    descriptors: Vec<File>,
}

impl Host {
    pub fn new(program: &str) -> io::Result<Self> {
        Ok(Host {
            runtime: Some(Builder::new_current_thread().enable_all().build()?),
            shared: Arc::new(Shared {
                program: program.to_string(),
                state: Mutex::default(),
                changed: Notify::new(),
            }),
            reaper: None,
            descriptors: Vec::new(),
        })
    }

    pub fn program(&self) -> &str {
        &self.shared.program
    }

    fn runtime(&self) -> Result<&Runtime, Problem> {
        let gone = || Problem::Refused("the runtime is gone".to_string());
        self.runtime.as_ref().ok_or_else(gone)
    }

    pub fn begin(&self, args: &[&str]) -> Result<u32, Problem> {
        let _entered = self.runtime()?.enter();
        Ok(self.shared.start(args)?)
    }

    /// Starts the program, and runs until it has ended.
    pub fn complete(&self) -> Result<(), Problem> {
        let program = self.program();
        self.runtime()?
            .block_on(async { Command::new(program).status().await })?;
        Ok(())
    }

    pub fn start_failing(&self) -> Result<(), Problem> {
        let _entered = self.runtime()?.enter();
        Command::new("/nonexistent/program").spawn()?;
        Ok(())
    }

    pub fn watch(&self, pid: u32, action: Action) -> Result<usize, Problem> {
        self.runtime()?.block_on(async {
            let number = self.shared.watch(pid, action)?;
            task::yield_now().await; // its task begins to wait
            Ok(number)
        })
    }

    pub fn run(&self, milliseconds: u64, count: usize) -> Result<Vec<Report>, Problem> {
        self.runtime()?.block_on(async {
            let enough = async {
                while self.shared.state().told < count {
                    self.shared.changed.notified().await;
                }
            };
            // Either is the end of the run.
            let _ = time::timeout(Duration::from_millis(milliseconds), enough).await;
        });
        Ok(std::mem::take(&mut self.shared.state().reports))
    }

    pub fn long_one(&self) -> u32 {
        self.shared.state().long_one
    }

    /// Leaves the child to the next wait.
    pub fn cancel(&self, wait: usize) {
        if let Some(task) = &self.shared.state().waits[wait].task {
            task.abort();
        }
    }

    pub fn drop_child(&self, wait: usize) -> Result<(), Problem> {
        let (pid, task) = {
            let wait = &mut self.shared.state().waits[wait];
            (wait.pid, wait.task.take())
        };
        self.shared.forget(pid);
        if let Some(task) = task {
            task.abort();
            let _ = self.runtime()?.block_on(task); // however it ended
        }
        Ok(())
    }

    pub fn drop_all(&self) -> Result<(), Problem> {
        let count = self.shared.state().waits.len();
        (0..count).try_for_each(|wait| self.drop_child(wait))
    }

    pub fn drop_runtime(&mut self) {
        self.runtime = None;
    }

    pub fn close(&mut self) {
        self.drop_runtime();
        self.shared.state().children.clear();
    }

    pub fn is_held(&self, wait: usize) -> bool {
        self.shared.state().waits[wait].ticket.strong_count() > 0
    }

    pub fn reap_by_thread(&mut self, pid: i32) {
        self.reaper = Some(thread::spawn(move || system::reap(pid)));
    }

    pub fn reaped(&mut self) -> Result<i32, Problem> {
        let reaper = self.reaper.take();
        let status = reaper.and_then(|reaper| reaper.join().ok());
        status.ok_or_else(|| Problem::Refused("there is no reaper".to_string()))
    }

    pub fn use_up_descriptors(&mut self, left: usize) -> Result<(), Problem> {
        self.descriptors = system::use_up_descriptors(left)?;
        Ok(())
    }

    pub fn release_descriptors(&mut self) {
        self.descriptors.clear();
    }
}
