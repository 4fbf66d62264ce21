//! A provider that refuses everything, and repeats what it was asked in whatever it says.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use serde_json::json;

/// How many ways it has of saying it.
pub const WAYS: usize = 5;

pub struct Parrot {
    pub url: String,
}

impl Parrot {
    /// It repeats in all ways in turn, for as long as the test runs.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                // Whoever only looks whether it is there says nothing.
                drop(answer(stream.unwrap(), number % WAYS));
            }
        });
        Self { url }
    }
}

fn answer(stream: TcpStream, way: usize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut proof, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            None if line.trim().is_empty() => break,
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                value.clone_into(&mut proof);
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            _ => {}
        }
    }
    let mut form = vec![0; length];
    reader.read_exact(&mut form)?;
    let form = String::from_utf8(form).unwrap();
    let token = form.rsplit('=').next().unwrap().to_owned();
    let spread: String = token.chars().flat_map(|c| [c, '\u{7}']).collect();
    let (error, description) = match way {
        0 => (token.clone(), form.clone()),
        1 => (spread, format!("{}{token}", ".".repeat(170))),
        2 => (format!("{}{token}", ".".repeat(40)), proof.clone()),
        3 => (
            "invalid_request".to_owned(),
            token.chars().take(30).collect(),
        ),
        _ => (
            "invalid_grant".to_owned(),
            format!("{}{token}", ".".repeat(170)),
        ),
    };
    let body = json!({ "error": error, "error_description": description }).to_string();
    let length = body.len();
    write!(
        reader.get_mut(),
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-request-id: {token}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
