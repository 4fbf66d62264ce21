//! What stands in the way of changes to store or key as a whole.

use std::path::PathBuf;

use refrain::{custody::CustodyError, seal::SealError};

use super::{alice, broken, explained};
use crate::errors::Row;

pub(in crate::errors) fn custody() -> Vec<Row> {
    let file = || PathBuf::from("/backup/refrain.db");
    let errors = [
        CustodyError::Busy,
        CustodyError::Credential,
        CustodyError::Unfinished,
        CustodyError::Unprepared,
        CustodyError::Exists { path: file() },
        CustodyError::Missing { path: file() },
        CustodyError::NoFolder {
            path: "/backup".into(),
        },
        CustodyError::Empty { path: file() },
        CustodyError::NoBackup {
            path: file(),
            why: "it is the store itself",
        },
        CustodyError::BadCopy {
            path: file(),
            why: "a grant is missing",
        },
        CustodyError::Damaged {
            path: file(),
            grants: vec![(alice(), SealError::Forged.to_string())],
        },
        CustodyError::InUse { path: file() },
        CustodyError::File {
            path: file(),
            done: "written",
            source: broken(),
        },
    ];
    let rows = errors
        .iter()
        .map(|error| explained(error.explain(), error.kind()));
    rows.collect()
}
