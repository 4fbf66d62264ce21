//! A worker as the judge holds it: a process of its own, ended by its id whatever happens.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};

use crate::{
    place::Place,
    tools::{LONGEST, until},
    wire::{Order, Report, now},
    worker,
};

pub struct Process {
    child: Child,
    stdin: ChildStdin,
    reports: Receiver<Report>,
    /// When it was started.
    pub began: u64,
}

impl Process {
    /// A worker on a store, on one of its hosts.
    pub fn start(place: &Place, host: usize) -> Self {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.path().join("workers.log"))
            .unwrap();
        let began = now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "works_for_the_judge", "--nocapture"])
            .env_clear()
            .env("HOME", place.path())
            .env(worker::CONFIG, &place.config)
            .env(worker::STATE, place.path().join(format!("host{host}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, reports) = channel();
        // It ends with the pipe, which is with the process.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(report) = serde_json::from_str(&line) else {
                    continue;
                };
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            reports,
            began,
        }
    }

    /// The same, with its store open.
    pub fn open(place: &Place, host: usize) -> Self {
        let process = Self::start(place, host);
        match process.next() {
            Report::Ready { .. } => process,
            other => panic!("not ready: {other:?}"),
        }
    }

    pub fn order(&mut self, order: &Order) {
        let line = serde_json::to_string(order).unwrap();
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// The next report, which has to come.
    #[track_caller]
    pub fn next(&self) -> Report {
        self.reports
            .recv_timeout(LONGEST)
            .unwrap_or_else(|error| panic!("worker {}: no report: {error}", self.child.id()))
    }

    /// The next report, if there is one by then.
    pub fn next_by(&self, end: Instant) -> Option<Report> {
        let left = end.saturating_duration_since(Instant::now());
        match self.reports.recv_timeout(left) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("worker {} ended", self.child.id()),
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), signal).unwrap();
    }

    /// SIGSTOP; answers when none of its threads runs any more.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        until("every thread stands still", || {
            let mut tasks = fs::read_dir(&tasks).unwrap().flatten();
            tasks.all(|task| {
                let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                // The state comes after the name, which is in parentheses and may hold anything.
                let state = stat
                    .rsplit_once(") ")
                    .map(|(_, rest)| rest.starts_with('T'));
                state.unwrap_or(true)
            })
        });
    }

    /// `kill -9`; answers what it had told by then.
    pub fn kill(mut self) -> Vec<Report> {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
        let mut told = Vec::new();
        // The reader ends with the pipe; until then there may be more.
        while let Ok(report) = self.reports.recv_timeout(LONGEST) {
            told.push(report);
        }
        told
    }

    /// Lets it see its refreshes through, and ends it.
    pub fn stop(mut self) {
        self.order(&Order::Stop);
        let end = Instant::now() + LONGEST;
        while Instant::now() < end {
            if let Ok(Report::Stopped { drained }) =
                self.reports.recv_timeout(Duration::from_secs(40))
            {
                assert!(drained, "a refresh did not end");
                self.child.wait().unwrap();
                return;
            }
        }
        panic!("worker {} does not stop", self.child.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// A thousand refreshes at once are as many sockets.
pub fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
