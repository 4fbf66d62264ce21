//! `/dashboard`: all grants.

use http::{Response, StatusCode};
use refrain::{id::GrantName, limit::Gate};

use super::{
    Desk, flash, survey,
    view::{
        overview::Overview,
        shell::{Part, Sheet},
    },
};
use crate::{body::Answer, fault::Fault};

/// So many are on a page,
const PAGE: usize = 100;
/// and so many are read for one, at most.
const READ: u32 = 10_000;

pub(super) async fn show(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let (part, after) = asked(desk);
    let shared = desk.errand.shared();
    let look = shared.lookout().look(shared.refrain());
    let survey = look.await.map_err(|error| desk.errand.fault(&error))?;
    let (behind, words) = (after.clone(), part.clone());
    let others = desk.errand.read(|refrain| async move {
        survey::others(&refrain, behind, &words, (PAGE, READ)).await
    });
    let others = others.await?;
    let now = shared.clock().now();
    let gates = shared.gates().list().into_iter();
    let gates: Vec<Gate> = gates.filter(|it| !it.remaining(&now).is_zero()).collect();
    let read = desk.errand.read(|refrain| async move {
        let (keys, processes) = (refrain.keys().await?, refrain.processes().await?);
        Ok((keys, processes))
    });
    let (keys, processes) = read.await?;
    let overview = Overview {
        survey: &survey,
        others: &others,
        part: &part,
        continued: after.is_some(),
        gates: &gates,
        keys: &keys,
        processes,
        now,
    };
    let sheet = Sheet {
        part: Part::Grants,
        title: overview.verdict().text,
        notice: flash::asked(desk.query()),
        content: overview.content(),
        // Each look at a page of what was looked for reads very many.
        live: part.is_empty() && !others.tired,
    };
    Ok(desk.page(StatusCode::OK, &sheet))
}

/// What names are looked for by, and behind which grant the page begins.
fn asked(desk: &Desk<'_>) -> (String, Option<GrantName>) {
    let (mut part, mut after) = (String::new(), None);
    for (key, value) in desk.query() {
        match key.as_str() {
            "name" => part = value.trim().chars().take(64).collect(),
            "after" => after = value.parse().ok(),
            _ => {}
        }
    }
    (part, after)
}
