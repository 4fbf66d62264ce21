//! A wire tap: passes everything on, and keeps what passed. What goes over the wire is what is secret.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

type Passed = Arc<Mutex<Vec<u8>>>;

pub struct Tap {
    pub url: String,
    here: SocketAddr,
    ended: Arc<AtomicBool>,
    /// One for each direction of each connection.
    passed: Arc<Mutex<Vec<Passed>>>,
}

impl Tap {
    /// Stands before an origin such as `http://127.0.0.1:4000`.
    pub fn before(origin: &str) -> Self {
        let there: SocketAddr = origin.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let here = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let passed = Arc::new(Mutex::new(Vec::new()));
        let tap = Self {
            url: format!("http://{here}"),
            here,
            ended: Arc::clone(&ended),
            passed: Arc::clone(&passed),
        };
        thread::spawn(move || {
            for near in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(near), Ok(far)) = (near, TcpStream::connect(there)) else {
                    continue;
                };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let kept = Arc::new(Mutex::new(Vec::new()));
                    passed.lock().unwrap().push(Arc::clone(&kept));
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || pass(from, to, &kept));
                }
            }
        });
        tap
    }

    /// The values behind a mark, up to the first character that cannot be theirs.
    pub fn values(&self, mark: &str) -> Vec<String> {
        let mut values = Vec::new();
        for kept in self.passed.lock().unwrap().iter() {
            let text = String::from_utf8_lossy(&kept.lock().unwrap()).into_owned();
            for (at, _) in text.match_indices(mark) {
                let of_value = |c: &char| c.is_ascii_alphanumeric() || "-_.~+/=".contains(*c);
                let behind = text.get(at + mark.len()..).unwrap_or_default();
                values.push(behind.chars().take_while(of_value).collect());
            }
        }
        values.sort();
        values.dedup();
        values
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.here));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Either side may be gone.
    drop(to.shutdown(Shutdown::Write));
    drop(from.shutdown(Shutdown::Read));
}
