//! `refrain serve` beside what else could stand in its place: nginx, HAProxy, and a proxy of axum and reqwest.
//!
//! All of them put a bearer into the same requests and pass them on to one upstream, an nginx that answers two
//! kilobytes. Each is bound to the last processor, so that none has more threads at work than another; the
//! client and the upstream share the others.

mod axum;
mod latency;
mod load;
mod processors;
mod rates;
mod rivals;

use std::path::PathBuf;

use self::{
    load::Place,
    rivals::{Certificate, Process, Refrain, Upstream},
};

pub use self::axum::serve as axum_child;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Plain,
    Tls,
    Tokens,
    Latency,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Tls, Self::Tokens, Self::Latency];

    pub fn named(name: &str) -> Option<Self> {
        match name {
            "plain" => Some(Self::Plain),
            "tls" => Some(Self::Tls),
            "tokens" => Some(Self::Tokens),
            "latency" => Some(Self::Latency),
            _ => None,
        }
    }
}

/// The first binary is this build of refrain; others are builds that it is compared with.
pub async fn run(parts: &[Part], binaries: &[PathBuf]) {
    let bench = Bench {
        certificate: Certificate::new(),
        refrains: signed_in(binaries).await,
    };
    for part in parts {
        match part {
            Part::Plain => bench.proxied(false).await,
            Part::Tls => bench.proxied(true).await,
            Part::Tokens => bench.tokens().await,
            Part::Latency => bench.latency().await,
        }
    }
}

async fn signed_in(binaries: &[PathBuf]) -> Vec<Refrain> {
    let mut refrains = Vec::new();
    for binary in binaries {
        let name = match refrains.len() {
            0 => "refrain".to_owned(),
            other => format!("refrain, build {}", other + 1),
        };
        refrains.push(Refrain::signed_in(name, binary).await);
    }
    refrains
}

struct Bench {
    certificate: Certificate,
    refrains: Vec<Refrain>,
}

impl Bench {
    async fn rivals(&self, upstream: &Upstream) -> Vec<Process> {
        let mut rivals = vec![
            rivals::nginx(upstream),
            rivals::haproxy(upstream),
            rivals::axum(upstream).await,
        ];
        for refrain in &self.refrains {
            rivals.push(refrain.serve(upstream).await);
        }
        rivals
    }

    async fn proxied(&self, tls: bool) {
        let upstream = Upstream::start(&self.certificate, tls);
        let rivals = self.rivals(&upstream).await;
        let scheme = if tls { "TLS" } else { "plain" };
        println!("\nproxied requests, {scheme} upstream, 2 KB answers");
        rates::compare(&rivals);
    }

    async fn tokens(&self) {
        let upstream = Upstream::start(&self.certificate, false);
        let (mut asked, mut servers) = (vec![rivals::nginx_alone()], Vec::new());
        for refrain in &self.refrains {
            let process = refrain.serve(&upstream).await;
            for (kind, place) in [("TCP", process.place.clone()), ("Unix", refrain.socket())] {
                let name = format!("{} {kind}", process.name);
                asked.push(process.elsewhere(name, refrain.token_request(&place), place));
            }
            servers.push(process);
        }
        println!("\ntoken reads, beside an nginx that answers by itself");
        rates::compare(&asked);
    }

    async fn latency(&self) {
        let upstream = Upstream::start(&self.certificate, false);
        let rivals = self.rivals(&upstream).await;
        println!("\nlatency at a fixed rate over 64 connections, plain upstream, 2 KB answers");
        latency::compare(&upstream.process, &rivals);
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn at(port: u16) -> Place {
    Place::Tcp(([127, 0, 0, 1], port).into())
}
