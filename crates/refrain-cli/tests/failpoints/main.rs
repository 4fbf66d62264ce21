//! The command, broken at named points: with the feature `failpoints`, every point in processes of their
//! own; without it, that the command knows of none.

#[cfg(not(feature = "failpoints"))]
mod absent;
