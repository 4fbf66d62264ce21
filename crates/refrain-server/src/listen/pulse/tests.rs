use super::*;

/// Lets seconds pass until the pulse is cut; so many at most.
fn seconds_until_cut(sweep: &Sweep, pulse: &Pulse, most: u32) -> Option<u32> {
    (1..=most).find(|_| {
        sweep.tick();
        pulse.is_cut()
    })
}

#[test]
fn a_connection_that_says_nothing_is_cut_after_ten_seconds() {
    let sweep = Sweep::new();
    assert_eq!(seconds_until_cut(&sweep, &sweep.pulse(), 60), Some(10));
}

/// Five seconds of silence, and then a byte each second; how many until the pulse is cut.
fn drips_until_cut(sweep: &Sweep, pulse: &Pulse) -> Option<u32> {
    sweep.pass(5);
    (1..60).find(|_| {
        pulse.bytes_come();
        sweep.tick();
        pulse.is_cut()
    })
}

#[test]
fn a_first_head_that_drips_is_cut_ten_seconds_after_the_connection_began() {
    let sweep = Sweep::new();
    let pulse = sweep.pulse();
    assert_eq!(drips_until_cut(&sweep, &pulse), Some(5));
}

#[test]
fn a_later_head_that_drips_is_cut_ten_seconds_after_its_first_byte() {
    let sweep = Sweep::new();
    let pulse = sweep.pulse();
    drop(pulse.begin());
    assert_eq!(drips_until_cut(&sweep, &pulse), Some(10));
}

#[test]
fn a_connection_between_requests_may_rest_longer() {
    let sweep = Sweep::new();
    let pulse = sweep.pulse();
    let running = pulse.begin();
    assert_eq!(
        seconds_until_cut(&sweep, &pulse, 300),
        None,
        "no limit of its own"
    );
    drop(running);
    assert_eq!(seconds_until_cut(&sweep, &pulse, 300), Some(75));
}

#[test]
fn a_body_has_to_move_while_it_is_waited_for() {
    let sweep = Sweep::new();
    let pulse = sweep.pulse();
    let _running = pulse.begin();
    let drip = |bytes: usize| {
        (1..40).find(|_| {
            pulse.inward.waits(&pulse);
            pulse.inward.moved(bytes, &pulse);
            pulse.inward.waits(&pulse);
            sweep.tick();
            pulse.is_cut()
        })
    };
    assert_eq!(drip(200), None, "2,000 bytes in ten seconds are enough");
    pulse.inward.ends();
    assert_eq!(drip(1), Some(10));
}

#[test]
fn what_lies_between_two_waits_does_not_count() {
    let sweep = Sweep::new();
    let pulse = sweep.pulse();
    let _running = pulse.begin();
    let waits = |seconds| {
        pulse.outward.waits(&pulse);
        let cut = seconds_until_cut(&sweep, &pulse, seconds);
        pulse.outward.moved(1, &pulse);
        cut
    };
    assert_eq!(waits(4), None);
    assert_eq!(
        seconds_until_cut(&sweep, &pulse, 100),
        None,
        "the upstream is slow, not the client"
    );
    assert_eq!(waits(4), None, "eight seconds in all");
    assert_eq!(waits(4), Some(2), "and ten, for two bytes");
}

#[test]
fn what_was_written_to_its_end_is_not_held_against_the_next_answer() {
    let sweep = Sweep::new();
    let pulse = sweep.pulse();
    for _ in 0..10 {
        let running = pulse.begin();
        pulse.outward.waits(&pulse);
        assert_eq!(seconds_until_cut(&sweep, &pulse, 9), None);
        pulse.outward.moved(500, &pulse);
        pulse.outward.ends();
        drop(running);
    }
}

#[test]
fn what_has_been_dropped_is_forgotten() {
    let sweep = Sweep::new();
    drop(sweep.pulse());
    sweep.tick();
    assert!(sweep.pulses.lock().unwrap().is_empty());
}

#[test]
fn a_connection_with_two_requests_rests_when_both_are_over() {
    let sweep = Sweep::new();
    let pulse = sweep.pulse();
    let (one, other) = (pulse.begin(), pulse.begin());
    drop(one);
    assert_eq!(seconds_until_cut(&sweep, &pulse, 300), None);
    drop(other);
    assert_eq!(seconds_until_cut(&sweep, &pulse, 300), Some(75));
}

/// A connection with two requests on it at a time.
fn shared(sweep: &Sweep) -> (Arc<Pulse>, Arc<Pulse>, Arc<Pulse>) {
    let connection = sweep.pulse();
    connection.share();
    let (one, other) = (connection.stream(), connection.stream());
    (connection, one, other)
}

#[test]
fn a_stream_that_is_stuck_is_given_up_and_its_neighbour_hears_nothing() {
    type Stall = fn(&Pulse);
    let stalls: [(Stall, u32); 3] = [
        (|pulse| pulse.inward.waits(pulse), 10),
        (Pulse::hands_over, 10),
        (|pulse| pulse.upstream.waits(pulse), 60),
    ];
    for (stall, seconds) in stalls {
        let sweep = Sweep::new();
        let (connection, stuck, lively) = shared(&sweep);
        let _running = (connection.begin(), connection.begin());
        stall(&stuck);
        let cut = (1..100).find(|_| {
            stall(&lively);
            for flow in [&lively.inward, &lively.upstream] {
                flow.moved(2000, &lively);
            }
            lively.is_taken(2000);
            sweep.tick();
            stuck.is_cut()
        });
        assert_eq!(cut, Some(seconds));
        assert!(!lively.is_cut() && !connection.is_cut());
    }
}

#[test]
fn streams_that_are_gone_take_no_room() {
    let sweep = Sweep::new();
    let (connection, ..) = shared(&sweep);
    let alive: Vec<_> = (0..100).map(|_| connection.stream()).collect();
    for _ in 0..10_000 {
        drop(connection.stream());
    }
    assert!(connection.streams.lock().unwrap().len() <= 256);
    sweep.tick();
    assert_eq!(connection.streams.lock().unwrap().len(), alive.len());
}

#[test]
fn what_a_full_socket_holds_up_is_held_against_the_connection() {
    let sweep = Sweep::new();
    let (connection, one, other) = shared(&sweep);
    let _running = (connection.begin(), connection.begin());
    connection.outward.waits(&connection);
    one.hands_over();
    other.hands_over();
    assert_eq!(seconds_until_cut(&sweep, &connection, 60), Some(10));
    assert!(!one.is_cut() && !other.is_cut());
}

#[test]
fn a_neighbour_that_fills_the_socket_hides_a_stalled_stream_for_a_minute() {
    let sweep = Sweep::new();
    let (connection, stalled, _) = shared(&sweep);
    let _running = connection.begin();
    stalled.hands_over();
    let cut = (1..100).find(|_| {
        connection.outward.moved(100_000, &connection);
        connection.outward.waits(&connection);
        sweep.tick();
        stalled.is_cut()
    });
    assert_eq!(cut, Some(60));
    assert!(!connection.is_cut());
}

#[test]
fn an_api_that_is_silent_is_told_to_the_stream_that_asked() {
    let sweep = Sweep::new();
    let (connection, one, other) = shared(&sweep);
    let _running = (connection.begin(), connection.begin());
    one.answer.waits(&one);
    let late = (1..100).find(|_| {
        sweep.tick();
        one.is_late()
    });
    assert_eq!(late, Some(60));
    assert!(!one.is_cut() && !other.is_late());
}
