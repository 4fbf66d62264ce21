//! Which authorizations a correct client must still be able to use.
//!
//! The verdict on a consent chain follows from what the client has shown to hold. It holds a
//! refresh token if it presented it, got it in an undisturbed code exchange, or used the access
//! token that came with it:
//!
//! | the chain | verdict |
//! |---|---|
//! | accepts a refresh token that the client has shown to hold | [`Safe`](Verdict::Safe): losing it is the client's fault |
//! | accepts only tokens of answers that the client may never have seen or stored | [`InDoubt`](Verdict::InDoubt): lost only if the client died, or the answer did, before the new token was stored |
//! | accepts nothing, or nothing ever again | [`Dead`](Verdict::Dead): the user has to authorize anew |
//!
//! Read over the moments of one refresh, with the client stopped before the server's commit (K1),
//! after it but before receipt (K2), after receipt but before its own commit (K3), and after that
//! (K4):
//!
//! | mode | K1 | K2 | K3 | K4 |
//! |---|---|---|---|---|
//! | static, omit, empty, null, echo | safe | safe | safe | safe |
//! | grace, retried inside the window | safe | safe | safe | safe |
//! | grace, retried later | safe | in doubt | in doubt | safe once used |
//! | until-used, nothing new was used | safe | safe | safe | safe |
//! | strict, family-kill | safe | in doubt | in doubt | safe once used |
//!
//! In doubt becomes dead when family-kill or a late grace sees the old token again.

use serde::{Deserialize, Serialize};

use crate::chain::Death;
use crate::profile::Rotation;
use crate::world::World;

/// What a correct client can still do with a consent chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A refresh token that the client has shown to hold is accepted.
    Safe,
    /// Only tokens that the client may never have stored are accepted.
    InDoubt,
    /// Nothing is accepted any more.
    Dead(Death),
}

/// The oracle's view of one consent chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantVerdict {
    /// The number of the chain, as in the history.
    pub grant: u64,
    /// The app.
    pub client_id: String,
    /// The user.
    pub user: String,
    /// The rotation mode that the verdict assumes: the present one.
    pub rotation: Rotation,
    /// What a correct client can still do.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The fingerprints of the refresh tokens that would be accepted now.
    pub usable: Vec<String>,
}

/// Judges every chain, oldest first.
pub(crate) fn judge(world: &World) -> Vec<GrantVerdict> {
    let rotation = world.profile.rotation;
    let now = world.now();
    world
        .chains
        .values()
        .map(|chain| {
            let (usable, proven) = chain.usable(now, rotation);
            let verdict = match chain.death(now) {
                Some(death) => Verdict::Dead(death),
                None if proven => Verdict::Safe,
                None => Verdict::InDoubt,
            };
            GrantVerdict {
                grant: chain.id,
                client_id: chain.client_id.clone(),
                user: chain.user.clone(),
                rotation,
                verdict,
                usable,
            }
        })
        .collect()
}
