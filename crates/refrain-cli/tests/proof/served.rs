//! `refrain serve` as a process of its own, and raw requests to it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::world::{Ran, finish};

/// A server that listens, and what it writes to standard error.
pub struct Served {
    child: Child,
    /// Where it listens: host and port.
    pub place: String,
    told: JoinHandle<String>,
}

impl Served {
    /// Starts it with a command that ends in `serve`.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        let place = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended: {told}");
            told.push_str(&line);
            if let Some((_, place)) = line.split_once("serves at http://") {
                // In a log that is JSON, a text ends there.
                break place.split(['"', '\n']).next().unwrap().to_owned();
            }
        };
        let told = thread::spawn(move || {
            drop(stderr.read_to_string(&mut told));
            told
        });
        Self { child, place, told }
    }

    pub fn child(&self) -> &Child {
        &self.child
    }

    /// Sends bytes and reads to the end.
    pub fn say(&self, bytes: &str) -> String {
        read(self.send(bytes))
    }

    pub fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.place).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    }

    /// A request that is the last on its connection.
    pub fn request(&self, line: &str, headers: &str, body: &str) -> String {
        let (place, length) = (&self.place, body.len());
        format!(
            "{line} HTTP/1.1\r\nHost: {place}\r\n{headers}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    }

    /// Waits for its end, after somebody has told it to stop.
    pub fn end(self) -> Ran {
        let mut ran = finish(self.child);
        ran.stderr = self.told.join().unwrap();
        ran
    }
}

pub fn read(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset behind an answer is an end too.
    drop(stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}
