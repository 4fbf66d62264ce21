//! Why the server does not start.

use std::io;

use refrain_server::{AppError, StartError};

use super::broken;
use crate::{command, errors::Row};

pub(in crate::errors) fn start() -> Vec<Row> {
    let place = || "127.0.0.1:4280".to_owned();
    let errors = [
        StartError::InUse { place: place() },
        StartError::Listen {
            place: place(),
            source: io::ErrorKind::PermissionDenied.into(),
        },
        StartError::NotListening { place: place() },
        StartError::PlainHttp {
            address: ([0, 0, 0, 0], 4280).into(),
        },
        StartError::App(AppError::NoIndex {
            folder: "/srv/app".into(),
        }),
        StartError::AppWithoutSessions,
        StartError::Nowhere,
        StartError::Certificate {
            path: "/etc/refrain/cert.pem".into(),
            source: "no certificate in it".into(),
        },
        StartError::Dialer("no certificates".into()),
        StartError::Worker(broken()),
    ];
    let rows = errors.iter().map(|error| {
        let told = command::serve_failed(error);
        Row {
            code: told.code,
            cells: vec![told.what, told.fix, (told.exit as u8).to_string()],
        }
    });
    rows.collect()
}
