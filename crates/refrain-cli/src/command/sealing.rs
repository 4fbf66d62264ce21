//! `refrain sealing rotate`: a new master key.

use std::collections::BTreeMap;

use refrain::{
    Refrain,
    config::{KeySource, StoreLocation},
    custody::{Rotation, Step, rotate},
    seal::KeyId,
    words,
};
use serde::Serialize;

use crate::{
    args::{GlobalArgs, RotateArgs},
    output,
    report::{self, Exit, Explanation},
};

#[derive(Serialize)]
struct Json<'a> {
    key_file: String,
    /// The key that seals from now on.
    key: String,
    /// The key that is prepared.
    next: Option<String>,
    /// Whether a key was made by this run.
    made: bool,
    /// How many grants this run sealed anew.
    resealed: u64,
    /// How many grants each key seals.
    grants: &'a BTreeMap<String, u64>,
    /// Old keys that have left the key file.
    retired: Vec<String>,
    /// Old keys that are still in it.
    old: Vec<String>,
    /// From when on another run removes them.
    old_until: Option<String>,
    damaged: Vec<Damaged<'a>>,
}

#[derive(Serialize)]
struct Damaged<'a> {
    grant: &'a str,
    why: &'a str,
}

/// What a person needs beside the library's report.
struct Told<'a> {
    rotation: &'a Rotation,
    key_file: String,
    several_machines: bool,
}

pub(super) async fn run(global: &GlobalArgs, args: &RotateArgs) -> Result<(), Explanation> {
    let config = super::load(global)?;
    let key = config.sealing.key.clone();
    let several_machines = !matches!(config.store, StoreLocation::Sqlite(_));
    let step = match (args.prepare, several_machines) {
        (true, _) => Step::Prepare,
        (false, true) => Step::ReplacePrepared,
        (false, false) => Step::Replace,
    };
    let refrain = Refrain::open_existing(config).await?;
    let mut rotation = rotate(refrain.parts(), &key, step).await?;
    while args.wait
        && let Some(until) = rotation.old_until
    {
        rotation = waited(&refrain, &key, step, rotation, until).await?;
    }
    let told = Told {
        rotation: &rotation,
        key_file: key.path().display().to_string(),
        several_machines,
    };
    if global.json {
        output::json(&told.to_json())?;
    } else {
        output::text(&told.to_text())?;
    }
    told.verdict()
}

/// Waits until the old key may go, and goes on; answers what both runs did.
async fn waited(
    refrain: &Refrain,
    key: &KeySource,
    step: Step,
    before: Rotation,
    until: refrain::time::UnixMillis,
) -> Result<Rotation, Explanation> {
    let clock = &refrain.parts().clock;
    report::notice(&format!(
        "everything is sealed with the new key; waiting until {until} for the old one to leave the key file"
    ));
    clock.sleep(until.since(clock.wall())).await;
    let after = rotate(refrain.parts(), key, step).await?;
    Ok(Rotation {
        made: before.made || after.made,
        resealed: before.resealed + after.resealed,
        ..after
    })
}

// === impl Told ===

impl Told<'_> {
    fn to_json(&self) -> Json<'_> {
        let it = self.rotation;
        let names = |ids: &[KeyId]| ids.iter().map(ToString::to_string).collect();
        let damaged = it.damaged.iter().map(|(grant, why)| Damaged {
            grant: grant.as_str(),
            why,
        });
        Json {
            key_file: self.key_file.clone(),
            key: it.key.to_string(),
            next: it.next.map(|id| id.to_string()),
            made: it.made,
            resealed: it.resealed,
            grants: &it.grants,
            retired: names(&it.retired),
            old: names(&it.old),
            old_until: it.old_until.map(|at| at.to_string()),
            damaged: damaged.collect(),
        }
    }

    fn to_text(&self) -> String {
        let (it, file) = (self.rotation, &self.key_file);
        if let Some(next) = it.next {
            return format!(
                "Master key {next} is in {file}, and seals nothing yet: {} still does.\n\
                 Copy that file to every machine that uses this store, then run: refrain sealing rotate\n",
                it.key
            );
        }
        let seals = if it.made {
            "is new, and seals from now on"
        } else {
            "seals"
        };
        let mut lines = vec![
            format!("Master key {} {seals}.", it.key),
            format!(
                "{} sealed anew. Now: {}.",
                words::count(it.resealed, "grant"),
                counted(&it.grants)
            ),
        ];
        lines.extend(it.retired.iter().map(|id| {
            format!(
                "The old key {id} has left {file}. Copy {file} to where you keep the key: a copy from before \
                 does not open this store. A backup from before needs such an old copy: make a new one."
            )
        }));
        lines.extend(it.old.iter().map(|id| match it.old_until {
            Some(until) => format!(
                "The old key {id} stays in {file} until {until}, for programs and logins that have begun \
                 with it. To remove it, run after that: refrain sealing rotate"
            ),
            None => format!("The old key {id} stays in {file}: grants still name it."),
        }));
        if self.several_machines && !it.retired.is_empty() {
            lines.push(format!(
                "Copy {file} to the other machines, so that it leaves them too."
            ));
        }
        lines.join("\n") + "\n"
    }

    /// A rotation that had to leave grants behind is not done.
    fn verdict(&self) -> Result<(), Explanation> {
        let damaged = &self.rotation.damaged;
        let Some((grant, why)) = damaged.first() else {
            return Ok(());
        };
        let more = match damaged.len() {
            1 => String::new(),
            some => format!(", and of {} more", some - 1),
        };
        Err(Explanation {
            code: "sealed_row",
            what: format!("the data key of grant {grant}{more} does not open: {why}"),
            safe: "these grants were left as they were; all others are under the new key"
                .to_owned(),
            fix: format!(
                "restore a backup, or run `refrain login {grant}`; then run `refrain sealing rotate` again"
            ),
            retry_at: None,
            exit: Exit::Storage,
        })
    }
}

fn counted(grants: &BTreeMap<String, u64>) -> String {
    let one = |(key, grants): (&String, &u64)| {
        let key = if key.is_empty() { "no key" } else { key };
        format!("{} under {key}", words::count(*grants, "grant"))
    };
    let all: Vec<_> = grants.iter().map(one).collect();
    if all.is_empty() {
        return "no grant has a token".to_owned();
    }
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use refrain::time::UnixMillis;

    use super::*;

    fn done() -> Rotation {
        Rotation {
            key: KeyId([1; 8]),
            next: None,
            made: true,
            resealed: 2,
            grants: BTreeMap::from([("0101010101010101".to_owned(), 2)]),
            damaged: Vec::new(),
            retired: Vec::new(),
            old: vec![KeyId([2; 8])],
            old_until: Some(UnixMillis(1_795_000_000_000)),
        }
    }

    fn told(rotation: &Rotation) -> Told<'_> {
        Told {
            rotation,
            key_file: "k".to_owned(),
            several_machines: false,
        }
    }

    #[test]
    fn a_person_reads_what_was_done_and_what_remains() {
        assert_eq!(
            told(&done()).to_text(),
            "Master key 0101010101010101 is new, and seals from now on.\n\
             2 grants sealed anew. Now: 2 grants under 0101010101010101.\n\
             The old key 0202020202020202 stays in k until 2026-11-18T11:06:40Z, for programs and logins \
             that have begun with it. To remove it, run after that: refrain sealing rotate\n"
        );
    }

    #[test]
    fn a_grant_that_was_left_behind_is_no_success() {
        let mut rotation = done();
        let why = "it was changed".to_owned();
        rotation.damaged = vec![("alice".parse().unwrap(), why)];
        let error = told(&rotation).verdict().unwrap_err();
        assert_eq!((error.code, error.exit), ("sealed_row", Exit::Storage));
        assert!(error.what.contains("alice"), "{}", error.what);
    }
}
