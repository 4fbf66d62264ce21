//! The tie to the code: every answer of the model's rules is compared with the library's own.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::Mutex,
};

use refrain::lifecycle::{self, Evidence, Exchange, GrantRow, app::AppState};

use crate::{
    abstraction::{self, FENCE, from_real, now, to_real},
    protocol::Protocol,
    row::{Doubt, Row},
    rules::{self, Ask, Commit, Hold, Minted, Refusal, Resolution, Ticket},
};

/// A question to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Arm(Ask),
    Commit(Ticket, Minted),
    Refuse(Ticket, Doubt),
    Promote(usize),
    Successor,
    Resolve(Ticket, Resolution),
    SignOut,
    Consent,
}

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Armed(Result<Row, Hold>),
    Committed(Commit),
    Refused(Refusal),
    Changed(Option<Row>),
    Place(Option<usize>),
}

const SHARDS: usize = 64;

/// Asks the library, once for each question.
#[derive(Debug)]
pub(crate) struct Tie {
    asked: Vec<Mutex<HashSet<(Row, Call)>>>,
    hasher: RandomState,
}

impl Tie {
    pub(crate) fn new() -> Self {
        Self {
            asked: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// How many different questions were compared.
    pub(crate) fn compared(&self) -> usize {
        self.asked.iter().map(|it| it.lock().unwrap().len()).sum()
    }

    fn compare(&self, row: &Row, call: Call, answer: Answer) {
        let question = (*row, call);
        let hash = self.hasher.hash_one(question);
        let shard = usize::try_from(hash % 64).unwrap();
        if self.asked[shard].lock().unwrap().insert(question) {
            assert_eq!(library(row, call), answer, "{call:?} of {row:#?}");
        }
    }
}

fn library(row: &Row, call: Call) -> Answer {
    let real = to_real(row);
    match call {
        Call::Arm(ask) => Answer::Armed(arm(&real, ask)),
        Call::Commit(ticket, minted) => {
            // It matters where the row still has what was presented, and only there.
            let minted = abstraction::minted(minted, row.refresh);
            Answer::Committed(commit(&real, ticket, &minted))
        }
        Call::Refuse(ticket, before) => Answer::Refused(refuse(&real, ticket, before)),
        Call::Promote(place) => Answer::Changed(promote(&real, row, place)),
        Call::Successor => {
            let found = lifecycle::successor(&real);
            Answer::Place(found.map(|it| place_of(&real, it)))
        }
        Call::Resolve(ticket, resolution) => {
            let (ticket, resolution) = (
                abstraction::ticket(&real, ticket),
                abstraction::resolution(resolution),
            );
            let change = lifecycle::resolve(&real, &ticket, &resolution, &now());
            Answer::Changed(change.map(|change| from_real(&change.row)))
        }
        Call::SignOut => {
            let change = lifecycle::sign_out(&real, now().wall);
            Answer::Changed(Some(from_later(&change.row)))
        }
        Call::Consent => {
            let change = lifecycle::consent(&real, abstraction::consented());
            Answer::Changed(Some(from_later(&change.row)))
        }
    }
}

/// A row that has moved on: no ticket from before is current any more.
fn from_later(row: &GrantRow) -> Row {
    assert_eq!(row.fence.0, FENCE + 1, "the fence moves by one");
    from_real(row)
}

fn place_of(row: &GrantRow, candidate: &lifecycle::row::Candidate) -> usize {
    row.candidates
        .iter()
        .position(|it| it == candidate)
        .unwrap()
}

fn arm(row: &GrantRow, ask: Ask) -> Result<Row, Hold> {
    use lifecycle::Hold as Real;
    let app = AppState::default();
    let now = now();
    let result = lifecycle::arm(row, &abstraction::ask(row, ask, &now, &app));
    match result {
        Ok((change, ticket)) => {
            let armed = &change.row;
            let numbers = (armed.epoch, armed.generation, armed.minting, armed.fence);
            let told = (
                ticket.epoch,
                ticket.generation,
                ticket.minting,
                ticket.fence,
            );
            assert_eq!(numbers, told, "the ticket is for the row");
            Ok(from_later(armed))
        }
        Err(Real::Held { .. }) => Err(Hold::Held),
        Err(Real::SignedOut) => Err(Hold::SignedOut),
        Err(Real::Reauthorize { .. }) => Err(Hold::Reauthorize),
        Err(Real::Suspect { .. }) => Err(Hold::Suspect),
        Err(Real::BackingOff { .. }) => Err(Hold::BackingOff),
        Err(other) => panic!("{other:?}"),
    }
}

fn commit(row: &GrantRow, ticket: Ticket, minted: &lifecycle::Minted) -> Commit {
    match lifecycle::commit(row, &abstraction::ticket(row, ticket), minted, &now()) {
        lifecycle::Commit::Current(change) => {
            assert!(
                minted.is_in(&change.row),
                "what was written can be read back"
            );
            Commit::Current(from_same(&change.row))
        }
        lifecycle::Commit::Late(late) => Commit::Late(late.map(|change| {
            assert!(
                minted.is_in(&change.row),
                "what was written can be read back"
            );
            from_same(&change.row)
        })),
        lifecycle::Commit::Closed => Commit::Closed,
    }
}

fn from_same(row: &GrantRow) -> Row {
    assert_eq!(row.fence.0, FENCE, "the fence stays");
    from_real(row)
}

fn refuse(row: &GrantRow, ticket: Ticket, before: Doubt) -> Refusal {
    let evidence = Evidence {
        description: None,
        request_id: None,
        before: abstraction::before(before),
    };
    match lifecycle::refuse(
        row,
        &abstraction::ticket(row, ticket),
        &evidence,
        false,
        &now(),
    ) {
        lifecycle::Refusal::Moved => Refusal::Moved,
        lifecycle::Refusal::Promotable(it) => Refusal::Promotable(place_of(row, &it)),
        lifecycle::Refusal::Judged(change) => Refusal::Judged(from_same(&change.row)),
    }
}

fn promote(real: &GrantRow, row: &Row, place: usize) -> Option<Row> {
    let candidate = &real.candidates[place];
    let token = row.candidates.iter().nth(place).unwrap().token;
    let exchange = Exchange {
        promoted: abstraction::refresh(token, true),
        demoted: abstraction::candidate(row.refresh),
    };
    let change = lifecycle::promote(real, candidate, &exchange, &now())?;
    Some(from_same(&change.row))
}

impl Protocol {
    fn tied(&self, row: &Row, call: Call, answer: Answer) {
        if let Some(tie) = &self.tie {
            tie.compare(row, call, answer);
        }
    }

    pub(crate) fn rules_arm(&self, row: &Row, ask: Ask) -> Result<Row, Hold> {
        let answer = rules::arm(row, ask);
        self.tied(row, Call::Arm(ask), Answer::Armed(answer));
        answer
    }

    pub(crate) fn rules_commit(&self, row: &Row, ticket: Ticket, minted: Minted) -> Commit {
        let answer = rules::commit(row, ticket, minted);
        self.tied(row, Call::Commit(ticket, minted), Answer::Committed(answer));
        answer
    }

    pub(crate) fn rules_refuse(&self, row: &Row, ticket: Ticket, before: Doubt) -> Refusal {
        let answer = rules::refuse(row, ticket, before);
        self.tied(row, Call::Refuse(ticket, before), Answer::Refused(answer));
        answer
    }

    pub(crate) fn rules_successor(&self, row: &Row) -> Option<usize> {
        let answer = rules::successor(row);
        self.tied(row, Call::Successor, Answer::Place(answer));
        answer
    }

    pub(crate) fn rules_promote(&self, row: &Row, place: usize) -> Row {
        let answer = rules::promote(row, place);
        self.tied(row, Call::Promote(place), Answer::Changed(Some(answer)));
        answer
    }

    pub(crate) fn rules_resolve(&self, row: &Row, of: Ticket, how: Resolution) -> Option<Row> {
        let answer = rules::resolve(row, of, how);
        self.tied(row, Call::Resolve(of, how), Answer::Changed(answer));
        answer
    }

    pub(crate) fn rules_sign_out(&self, row: &Row) -> Row {
        let answer = rules::sign_out(row);
        self.tied(row, Call::SignOut, Answer::Changed(Some(answer)));
        answer
    }

    pub(crate) fn rules_consent(&self, row: &Row) -> Row {
        let answer = rules::consent(row);
        self.tied(row, Call::Consent, Answer::Changed(Some(answer)));
        answer
    }
}
