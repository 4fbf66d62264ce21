//! `refrain key`: who may ask this refrain for what.

use refrain::{
    Refrain,
    access::{ApiKey, Grants, KeyRecord, Permissions},
    id::GrantName,
    json::KeyJson,
    keeper::keys::NewKey,
    time::UnixMillis,
    words,
};
use serde::Serialize;

use crate::{
    args::{CreateKeyArgs, GlobalArgs, KeyCommand, RevokeKeyArgs},
    output,
    report::{self, Explanation},
};

#[derive(Serialize)]
struct Created<'a> {
    key: &'a str,
    #[serde(flatten)]
    record: KeyJson<'a>,
}

#[derive(Serialize)]
struct Revoked<'a> {
    was_revoked: bool,
    #[serde(flatten)]
    record: KeyJson<'a>,
}

pub(super) async fn run(global: &GlobalArgs, command: &KeyCommand) -> Result<(), Explanation> {
    match command {
        KeyCommand::Create(args) => create(global, args).await,
        KeyCommand::List => list(global).await,
        KeyCommand::Revoke(args) => revoke(global, args).await,
    }
}

/// Opens the store for as long as something is done with its keys; nothing is sent to Spotify.
async fn with<T>(
    global: &GlobalArgs,
    work: impl AsyncFnOnce(&Refrain) -> Result<T, Explanation>,
) -> Result<T, Explanation> {
    let refrain = Refrain::open_existing(super::load(global)?).await?;
    let done = work(&refrain).await;
    super::close(&refrain).await;
    done
}

async fn create(global: &GlobalArgs, args: &CreateKeyArgs) -> Result<(), Explanation> {
    let new = new_key(args)?;
    with(global, async |refrain| {
        let (key, record) = refrain.create_key(new).await?;
        let now = refrain.parts().clock.wall();
        let shown = show(global, &key, &record, now);
        if shown.is_err() {
            // Nobody has it, and nobody ever will.
            refrain.revoke_key(record.id.as_str()).await?;
        }
        shown
    })
    .await
}

fn new_key(args: &CreateKeyArgs) -> Result<NewKey, Explanation> {
    let permissions: Permissions = args.allow.iter().copied().collect();
    if permissions.use_grants() && args.grants.is_empty() && !args.all_grants {
        return Err(Explanation::usage(
            format!("a key for {permissions} has to reach a grant"),
            "add -g GRANT for each grant, or --all-grants",
        ));
    }
    Ok(NewKey {
        name: args.name.clone(),
        grants: if args.all_grants {
            Grants::All
        } else {
            args.grants.iter().cloned().collect()
        },
        permissions,
        rewrite_links: args.rewrite_links,
        lifetime: args.expires,
    })
}

/// The only time that a key is shown.
fn show(
    global: &GlobalArgs,
    key: &ApiKey,
    record: &KeyRecord,
    now: UnixMillis,
) -> Result<(), Explanation> {
    if global.json {
        let key = key.expose();
        let record = KeyJson::of(record, now);
        return output::json(&Created { key, record });
    }
    let ends = match record.expires_at {
        Some(at) => format!("expires {}", words::when(at, now)),
        None => "is valid until it is revoked".to_owned(),
    };
    report::notice(&format!(
        "API key {} (id {}) may do {} for {}, and {ends}.\n\
         This is the only time that it is shown. Keep it where you keep passwords:",
        record.name,
        record.id,
        record.permissions,
        grants(&record.grants),
    ));
    output::text(&format!("{}\n", key.expose()))
}

async fn list(global: &GlobalArgs) -> Result<(), Explanation> {
    let (keys, now) = with(global, async |refrain| {
        Ok((refrain.keys().await?, refrain.parts().clock.wall()))
    })
    .await?;
    let keys: Vec<_> = keys
        .iter()
        .map(|key| (key, KeyJson::of(key, now)))
        .collect();
    if global.json {
        let keys: Vec<_> = keys.into_iter().map(|(_, json)| json).collect();
        return output::json(&keys);
    }
    if keys.is_empty() {
        report::notice("there is no API key yet; to make one: refrain key create NAME -g GRANT");
        return Ok(());
    }
    let headings = [
        "NAME",
        "ID",
        "ALLOWED",
        "GRANTS",
        "CREATED",
        "EXPIRES",
        "LAST USED",
        "STATUS",
    ];
    output::table(&headings, keys.into_iter().map(to_row))
}

async fn revoke(global: &GlobalArgs, args: &RevokeKeyArgs) -> Result<(), Explanation> {
    let (revoked, now) = with(global, async |refrain| {
        let revoked = refrain.revoke_key(&args.key).await?;
        Ok((revoked, refrain.parts().clock.wall()))
    })
    .await?;
    let key = &revoked.key;
    if global.json {
        return output::json(&Revoked {
            was_revoked: !revoked.news,
            record: KeyJson::of(key, now),
        });
    }
    let (name, id) = (&key.name, &key.id);
    let told = match key.revoked_at {
        Some(at) if !revoked.news => {
            format!("API key {name} (id {id}) was revoked before, at {at}.\n")
        }
        _ => format!(
            "API key {name} (id {id}) is revoked. An access token that was handed out for it works at \
             Spotify to its end, an hour at most.\n"
        ),
    };
    output::text(&told)
}

fn to_row((key, json): (&KeyRecord, KeyJson<'_>)) -> Vec<String> {
    // The day is enough for a person; --json has the instant.
    let day = |at: Option<&str>| at.map_or("-", words::day).to_owned();
    vec![
        json.name.to_owned(),
        json.id.to_owned(),
        key.permissions.to_string(),
        grants(&key.grants),
        day(Some(&json.created_at)),
        day(json.expires_at.as_deref()),
        json.last_used_at.unwrap_or_else(|| "-".to_owned()),
        json.status.to_owned(),
    ]
}

fn grants(grants: &Grants) -> String {
    match grants {
        Grants::All => "all grants".to_owned(),
        Grants::Only(names) if names.is_empty() => "no grant".to_owned(),
        Grants::Only(names) => {
            let names: Vec<_> = names.iter().map(GrantName::as_str).collect();
            names.join(",")
        }
    }
}
