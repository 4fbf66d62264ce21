#![doc = include_str!("../README.md")]

mod accounts;
mod answer;
mod api;
mod chain;
mod clock;
mod control;
mod fault;
mod gzip;
mod history;
mod inject;
mod job;
mod mint;
mod model;
pub mod oracle;
mod profile;
mod service;
mod sim;
mod steer;
mod stray;
mod wire;
mod world;

pub use accounts::authorize::PageError;
pub use chain::{Death, DeathCause};
pub use fault::{Action, BodyKind, Fault, Target};
pub use history::{Counts, Event, EventKind, Outcome, TokenCall};
pub use mint::fingerprint;
pub use model::{App, AppMode, SCOPES, User};
pub use oracle::{GrantVerdict, Verdict};
pub use profile::{Api401, ExpiryText, Profile, RevokeMode, Rotation};
pub use sim::{SeededGrant, Sim};
