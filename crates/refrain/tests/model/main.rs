//! The refresh protocol as a model: two processes, a store, a provider that rotates in one of six
//! ways, and everything that may go wrong between them, in every order.
//!
//! `row` and `rules` say what may happen to a row, and `real` and `small` hold them against the library;
//! `flight`, `answer` and `world` are the steps; `promise` is what must hold in every state, `settle` that a
//! grant never gets stuck, `witness` that the rest is not vacuous, `bug` that it bites.
//!
//! `REFRAIN_MODEL=full` runs all modes as far as they go, which takes a release build and a while.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

mod abstraction;
mod answer;
mod bug;
mod flight;
mod promise;
mod protocol;
mod provider;
mod real;
mod row;
mod rules;
mod run;
mod settle;
mod small;
mod state;
mod witness;
mod world;
