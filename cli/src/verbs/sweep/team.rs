//! The processes that run a study's cells, and who starts another one when one of them ends. None takes the others along.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use clip_lung_core::study::cells::CellId;

use super::worker::Event;

/// So many workers in a row that are killed before they begin a cell, and no more are started: whatever kills them would go on.
const ENOUGH: usize = 5;

/// What became of a worker, which is known by its number.
pub enum News {
    Started(CellId),
    Step {
        done: u64,
        total: u64,
    },
    Done(CellId),
    Failed {
        error: String,
    },
    /// It ended in the middle of a cell, not by being told to stop.
    Lost {
        cell: CellId,
        status: ExitStatus,
    },
    /// It ended before a cell or between two, in words.
    Missed(String),
}

/// What comes from a worker: a line it said, or its end.
struct Message {
    worker: usize,
    event: Option<Event>,
}

struct Worker {
    child: Child,
    number: usize,
    /// Whether it has begun a cell.
    began: bool,
    cell: Option<CellId>,
}

/// Workers, no more than `jobs`.
pub struct Team {
    /// Starts one.
    command: Command,
    jobs: usize,
    workers: Vec<Worker>,
    started: usize,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    starts: Starts,
}

impl Team {
    pub fn new(mut command: Command, jobs: usize) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (sender, receiver) = channel();
        Self { command, jobs, workers: Vec::new(), started: 0, sender, receiver, starts: Starts::default() }
    }

    /// Whether another worker could be started.
    pub fn has_room(&self) -> bool {
        self.workers.len() < self.jobs && self.starts.over.is_none()
    }

    /// Starts workers where `ready` cells wait: one takes cells until none is left, so another is of use only where more cells wait than
    /// workers are about to take.
    pub fn fill(&mut self, ready: usize) -> Result<()> {
        let mut idle = self.workers.iter().filter(|w| w.cell.is_none()).count();
        while self.has_room() && idle < ready {
            match self.start() {
                Ok(worker) => self.workers.push(worker),
                Err(e) if self.workers.is_empty() => return Err(e),
                Err(e) => self.starts.over = Some(Over { reason: format!("{e:#}"), code: 1 }),
            }
            idle += 1;
        }
        Ok(())
    }

    /// A worker process, and a thread that passes on what it says.
    fn start(&mut self) -> Result<Worker> {
        let mut child = self.command.spawn().context("a worker can't be started")?;
        let (number, out, sender) = (self.started, child.stdout.take(), self.sender.clone());
        self.started += 1;
        std::thread::spawn(move || {
            let lines = out.map(|out| BufReader::new(out).lines().map_while(std::io::Result::ok));
            for event in lines.into_iter().flatten().filter_map(|line| serde_json::from_str(&line).ok()) {
                let _ = sender.send(Message { worker: number, event: Some(event) });
            }
            let _ = sender.send(Message { worker: number, event: None });
        });
        Ok(Worker { child, number, began: false, cell: None })
    }

    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Tells all to stop: the end of their input is their signal.
    pub fn stop(&mut self) {
        self.workers.iter_mut().for_each(|w| drop(w.child.stdin.take()));
    }

    /// Why no more workers are started, where that is so.
    pub fn over(&self) -> Option<&Over> {
        self.starts.over.as_ref()
    }

    /// Waits a little for what a worker says, and takes leave of one that ended.
    pub fn next(&mut self) -> Result<Option<(usize, News)>> {
        let Ok(message) = self.receiver.recv_timeout(Duration::from_millis(200)) else { return Ok(None) };
        let Some(index) = self.workers.iter().position(|w| w.number == message.worker) else { return Ok(None) };
        let worker = &mut self.workers[index];
        let news = match message.event {
            Some(Event::Start { cell }) => {
                if !std::mem::replace(&mut worker.began, true) {
                    self.starts.began();
                }
                worker.cell = Some(cell.clone());
                Some(News::Started(cell))
            }
            Some(Event::Step { done, total }) => Some(News::Step { done, total }),
            Some(Event::Done) => {
                self.starts.done();
                worker.cell.take().map(News::Done)
            }
            Some(Event::Failed { error }) => {
                worker.cell = None;
                Some(News::Failed { error })
            }
            None => {
                let mut worker = self.workers.swap_remove(index);
                let status = worker.child.wait().context("a worker can't be waited for")?;
                match worker.cell {
                    // through, or told to stop
                    _ if status.success() || status.code() == Some(4) => None,
                    Some(cell) => Some(News::Lost { cell, status }),
                    None => Some(News::Missed(self.starts.missed(status))),
                }
            }
        };
        Ok(news.map(|news| (message.worker, news)))
    }
}

/// Why no more workers are started.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    pub reason: String,
    /// The exit code of a worker that could not go on and has said why; else 1.
    pub code: u8,
}

/// Workers that ended without a cell: whether another one may fare better.
#[derive(Default)]
struct Starts {
    /// Killed in a row, while nothing else went on.
    killed: usize,
    over: Option<Over>,
}

impl Starts {
    /// A worker has begun its first cell.
    fn began(&mut self) {
        self.killed = 0;
    }

    /// A cell is done: what kept workers from beginning may be over, so one more is tried.
    fn done(&mut self) {
        if self.over.take().is_none() {
            self.killed = 0;
        }
    }

    /// A worker has ended without a cell; what to say of it.
    fn missed(&mut self, status: ExitStatus) -> String {
        if let Some(code) = status.code() {
            // it has said why, and another would meet the same
            let reason = format!("a worker ended with {status} before it ran a cell; see its message above");
            self.over = Some(Over { reason: reason.clone(), code: u8::try_from(code).unwrap_or(1) });
            return reason;
        }
        self.killed += 1;
        if self.killed < ENOUGH {
            return format!(
                "a worker ended with {status} while it ran no cell; another one is started where cells wait"
            );
        }
        let reason = format!(
            "{} workers in a row were killed before they ran a cell, the last by {status}; \
             is there memory for so many --jobs? `dmesg` says whom the system killed",
            self.killed
        );
        self.over = Some(Over { reason: reason.clone(), code: 1 });
        reason
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn killed() -> ExitStatus {
        ExitStatus::from_raw(9)
    }

    #[test]
    fn who_is_killed_is_replaced_but_not_for_ever() {
        let mut starts = Starts::default();
        for _ in 1..ENOUGH {
            let said = starts.missed(killed());
            assert!(said.contains("signal: 9") && said.contains("another one"), "{said}");
        }
        // what begins or is done in between shows that it can go on
        starts.began();
        (1..ENOUGH).for_each(|_| drop(starts.missed(killed())));
        starts.done();
        (1..ENOUGH).for_each(|_| drop(starts.missed(killed())));
        assert_eq!(starts.over, None);
        let said = starts.missed(killed());
        assert!(said.contains("5 workers in a row") && starts.over == Some(Over { reason: said, code: 1 }));
        // then one at a time, when another worker has done a cell
        starts.done();
        assert_eq!(starts.over, None);
        starts.missed(killed());
        assert!(starts.over.is_some());
    }

    #[test]
    fn who_says_why_is_not_replaced() {
        let mut starts = Starts::default();
        let said = starts.missed(ExitStatus::from_raw(3 << 8));
        assert!(said.contains("exit status: 3 before it ran a cell"), "{said}");
        assert_eq!(starts.over, Some(Over { reason: said, code: 3 }));
    }

    /// A program that is killed at once, each time: the team stops starting it; one that can't be started is an error.
    #[test]
    fn a_team_gives_up() {
        let mut command = Command::new("sh");
        command.args(["-c", "kill -9 $$"]);
        let mut team = Team::new(command, 2);
        let mut missed = 0;
        loop {
            team.fill(9).unwrap();
            if team.is_empty() {
                break;
            }
            missed += usize::from(matches!(team.next().unwrap(), Some((_, News::Missed(_)))));
        }
        assert!((ENOUGH..=ENOUGH + 1).contains(&missed), "{missed}");
        assert!(team.over().unwrap().reason.contains("in a row"));
        assert!(Team::new(Command::new("/no/such/program"), 1).fill(1).is_err());
    }
}
