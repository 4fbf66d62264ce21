//! Somebody who is told: a small HTTP server that answers as it is told to, and keeps what it has heard.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// What was heard.
#[derive(Debug, Clone)]
pub struct Heard {
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Heard {
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// An answer: a status line and headers; none for one that never comes.
type Script = Arc<Mutex<VecDeque<Option<&'static str>>>>;

pub struct Receiver {
    pub url: String,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Receiver {
    /// Answers like this, one after the other, and 204 from then on.
    pub async fn new<const N: usize>(answers: [Option<&'static str>; N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/hook?k=canary-hook",
            listener.local_addr().unwrap()
        );
        let script: Script = Arc::new(Mutex::new(answers.into()));
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&script), tell.clone()));
            }
        });
        Self { url, heard }
    }

    /// What is heard next.
    pub async fn next(&mut self) -> Heard {
        self.heard.recv().await.unwrap()
    }

    /// What was heard and not looked at.
    pub fn rest(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

async fn serve(mut socket: TcpStream, script: Script, tell: mpsc::UnboundedSender<Heard>) {
    let mut bytes = Vec::new();
    let heard = loop {
        let read = socket.read_buf(&mut bytes).await.unwrap_or(0);
        if let Some(heard) = parse(&bytes) {
            break heard;
        }
        if read == 0 {
            return;
        }
    };
    let answer = script.lock().unwrap().pop_front();
    let answer = answer.unwrap_or(Some("204 No Content"));
    tell.send(heard).unwrap_or_default();
    let Some(answer) = answer else {
        return std::future::pending().await;
    };
    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
    socket
        .write_all(answer.as_bytes())
        .await
        .unwrap_or_default();
}

fn parse(bytes: &[u8]) -> Option<Heard> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (first, lines) = head.split_once("\r\n")?;
    let headers: BTreeMap<_, _> = lines
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    (body.len() == length).then(|| Heard {
        target: first.to_owned(),
        headers,
        body: body.to_owned(),
    })
}

/// HMAC-SHA-256 as RFC 2104 has it, apart from what is tested.
pub fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new()
        .chain_update(block.map(|it| it ^ 0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new().chain_update(block.map(|it| it ^ 0x5c));
    outer.chain_update(inner).finalize().to_vec()
}
