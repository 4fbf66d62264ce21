//! The contract of a store as tests; every engine runs them unchanged.
//!
//! [`run`] takes a way to open the same empty store twice: two handles stand for two processes.

mod api_keys;
mod feed;
mod fixture;
mod keys;
mod limits;
mod links;
mod notices;
mod others;
mod rows;
mod sessions;

use std::future::Future;

use fixture::Shared;
pub use fixture::full_row;

/// Runs every test of the contract, each on a store of its own.
pub async fn run<F, Fut>(open_pair: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = (Shared, Shared)>,
{
    rows::a_row_reads_back_whole(open_pair().await).await;
    rows::grants_are_read_page_by_page(open_pair().await).await;
    rows::grants_are_counted_by_app_and_no_further_than_asked(open_pair().await).await;
    feed::changes_are_told_and_none_is_left_out(open_pair().await).await;
    feed::more_changes_than_are_asked_for_are_not_told_one_by_one(open_pair().await).await;
    feed::no_change_of_many_writers_is_left_out(open_pair().await).await;
    keys::the_key_check_is_compared_and_set(open_pair().await).await;
    keys::rows_under_another_key_are_found(open_pair().await).await;
    rows::a_name_is_taken_once(open_pair().await).await;
    rows::of_two_writers_who_read_the_same_row_one_wins(open_pair().await).await;
    rows::a_hundred_racing_writers_lose_no_step(open_pair().await).await;
    rows::a_story_is_told_in_order_and_forgotten_on_demand(open_pair().await).await;
    api_keys::a_key_reads_back_whole(open_pair().await).await;
    api_keys::keys_are_read_page_by_page(open_pair().await).await;
    api_keys::a_name_is_taken_until_its_key_is_revoked(open_pair().await).await;
    api_keys::of_many_who_want_one_name_one_gets_it(open_pair().await).await;
    api_keys::a_key_is_revoked_once_and_for_ever(open_pair().await).await;
    api_keys::a_use_is_noted_and_never_moves_backwards(open_pair().await).await;
    others::an_app_state_is_compared_and_set(open_pair().await).await;
    others::an_attempt_is_taken_once_and_not_after_its_time(open_pair().await).await;
    limits::a_gate_is_compared_and_set(open_pair().await).await;
    limits::a_gate_that_is_gone_is_never_taken_for_the_next_one(open_pair().await).await;
    limits::of_many_who_close_a_gate_none_is_overwritten_unseen(open_pair().await).await;
    links::a_link_reads_back_whole(open_pair().await).await;
    links::of_many_who_use_a_link_one_gets_it(open_pair().await).await;
    links::a_link_is_over_at_its_time_and_gone(open_pair().await).await;
    sessions::a_session_reads_back_whole(open_pair().await).await;
    sessions::of_many_who_end_a_session_one_is_told_so(open_pair().await).await;
    sessions::a_session_is_over_at_its_time_and_gone(open_pair().await).await;
    sessions::a_use_is_noted_and_never_moves_backwards(open_pair().await).await;
    sessions::whoever_signs_out_ends_the_sessions(open_pair().await).await;
    sessions::a_session_begins_beside_a_grant_that_is_there(open_pair().await).await;
    sessions::no_session_outlives_a_logout_that_it_races(open_pair().await).await;
    sessions::with_another_life_of_the_store_all_sessions_are_over(open_pair().await).await;
    sessions::grants_that_no_session_reaches_are_told(open_pair().await).await;
    sessions::whoever_runs_refrain_is_listed_and_all_end_together(open_pair().await).await;
    notices::a_grant_is_news_until_it_is_told_of_as_it_is(open_pair().await).await;
    notices::a_grant_is_looked_at_again_when_its_time_has_come(open_pair().await).await;
    notices::of_many_who_tell_the_same_one_does(open_pair().await).await;
    notices::a_delivery_is_claimed_settled_and_read_back_whole(open_pair().await).await;
    notices::a_claim_that_has_lapsed_is_the_next_one_s(open_pair().await).await;
    notices::of_many_who_claim_each_delivery_is_one_s(open_pair().await).await;
    notices::of_a_grant_that_signs_out_nothing_else_is_on_its_way(open_pair().await).await;
    notices::deliveries_are_read_page_by_page_by_whoever_reaches_their_grants(open_pair().await)
        .await;
    notices::a_place_that_wants_no_more_or_is_gone_gets_nothing(open_pair().await).await;
    keys::the_first_identity_stays(open_pair().await).await;
    others::the_clock_runs_forwards(open_pair().await).await;
    others::an_announced_process_is_alive(open_pair().await).await;
}
