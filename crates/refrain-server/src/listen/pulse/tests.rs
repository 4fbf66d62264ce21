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
