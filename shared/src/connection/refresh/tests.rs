use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const DAY: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_secs(5);

fn at(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn row<const N: usize>(attributes: [(&str, Value); N]) -> Attributes {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn connected() -> Attributes {
    row([
        (ACCESS_TOKEN, "a1".into()),
        (REFRESH_TOKEN, "r1".into()),
        (REFRESHED_AT, NOW.into()),
        (VERSION, 4.into()),
        ("of_the_bot", "note".into()),
    ])
}

fn of(row: &Attributes, holder: &str, now: Timestamp) -> Result<Claim, Obstacle> {
    claim(row, holder.to_owned(), now)
}

fn taken(row: &mut Attributes, holder: &str, now: Timestamp) -> Claim {
    let claim = of(row, holder, now).unwrap();
    assert!(claim.take(now).apply(row));
    claim
}

fn newest(used: &str, number: u8, refreshed_at: Timestamp) -> NewestTokens {
    NewestTokens {
        used: RefreshTokenText::new(used),
        replaces: Some("a1".into()),
        access_token: format!("a{number}").into(),
        refresh_token: Some(RefreshTokenText::new(&format!("r{number}"))),
        origin: Origin::of(&connected()),
        instance_url: None,
        issued_at: refreshed_at,
        scope: None,
        refreshed_at,
        expires_at: None,
        app_hash: None,
    }
}

#[test]
fn of_two_who_read_the_same_row_one_claims_it() {
    let mut current = connected();
    let (first, second) = (of(&current, "one", NOW).unwrap(), of(&current, "two", NOW).unwrap());
    assert!(first.take(NOW).apply(&mut current));
    assert!(!second.take(NOW).apply(&mut current));
    assert!(first.holds(&current) && !second.holds(&current));
    assert_eq!(of(&current, "three", at(1)).err(), Some(Obstacle::Held { until: NOW.plus(LEASE) }));
}

#[test]
fn a_row_that_this_stack_never_wrote_is_claimed_once_too() {
    let mut current = row([(REFRESH_TOKEN, "r1".into())]);
    let second = of(&current, "two", NOW).unwrap();
    taken(&mut current, "one", NOW);
    assert!(!second.take(NOW).apply(&mut current));
}

#[test]
fn who_claims_after_a_holder_that_is_gone_knows_that_the_token_may_be_used() {
    let mut current = connected();
    assert!(!taken(&mut current, "one", NOW).maybe_used);
    assert!(taken(&mut current, "two", at(21)).maybe_used);
}

#[test]
fn a_release_says_that_the_token_is_unused_and_what_is_left_says_that_it_may_be_used() {
    let mut current = connected();
    assert!(taken(&mut current, "one", NOW).release(PAUSE, NOW).apply(&mut current));
    let second = taken(&mut current, "two", at(1));
    assert!(!second.maybe_used);
    assert!(second.leave(PAUSE, at(2)).apply(&mut current));
    assert!(taken(&mut current, "three", at(2)).maybe_used);
    assert!(!second.release(PAUSE, at(3)).apply(&mut current), "it is no longer the holder");
}

#[test]
fn a_lease_that_this_stack_cannot_have_written_holds_nobody_up() {
    let mut current = connected();
    current.insert(LEASE_UNTIL.to_owned(), at(3_600).into());
    assert!(of(&current, "one", NOW).is_ok());
}

#[test]
fn what_came_of_the_token_in_the_row_is_stored_whoever_holds_the_lease_by_then() {
    let mut current = connected();
    taken(&mut current, "one", NOW);
    taken(&mut current, "two", at(21));
    assert!(newest("r1", 2, at(1)).store().apply(&mut current));
    assert_eq!((current.get(REFRESH_TOKEN), current.get(LEASE_UNTIL)), (Some(&"r2".into()), None));
    assert_eq!(current.get("of_the_bot"), Some(&"note".into()));
}

#[test]
fn what_came_of_another_token_is_not_stored() {
    let mut current = connected();
    taken(&mut current, "one", NOW);
    current.insert(REFRESH_TOKEN.to_owned(), "of a new consent".into());
    assert!(!newest("r1", 2, at(1)).store().apply(&mut current));
    current.remove(REFRESH_TOKEN);
    assert!(!newest("r1", 2, at(1)).store().apply(&mut current), "the connection has ended");
}

#[test]
fn without_rotation_the_newer_access_token_stays() {
    let mut current = connected();
    let plain = |number, at| NewestTokens { refresh_token: None, ..newest("r1", number, at) };
    assert!(plain(3, at(9)).store().apply(&mut current));
    assert!(!plain(2, at(5)).store().apply(&mut current), "it came from the queue, late");
    assert_eq!(current.get(REFRESH_TOKEN), Some(&"r1".into()));
}

#[test]
fn each_write_is_one_more() {
    let mut current = connected();
    let claim = taken(&mut current, "one", NOW);
    assert_eq!(current.get(VERSION), Some(&5.into()));
    assert!(claim.lost(false, PAUSE, at(1)).apply(&mut current));
    assert_eq!(current.get(VERSION), Some(&6.into()));
    assert!(newest("r1", 2, at(2)).store().apply(&mut current));
    assert_eq!(current.get(VERSION), Some(&7.into()));
}

#[test]
fn a_dead_token_is_lost_for_good_once_no_successor_can_come_from_the_queue() {
    let mut current = connected();
    let first = taken(&mut current, "one", NOW);
    assert!(!first.is_lost_for_good(at(1_000)));
    assert!(first.lost(true, PAUSE, NOW).apply(&mut current));
    let soon = taken(&mut current, "two", at(60));
    assert!(soon.maybe_used && !soon.is_lost_for_good(at(60)));
    assert!(soon.lost(false, PAUSE, at(60)).apply(&mut current));
    assert_eq!(current.get(LOST_AT), Some(&NOW.into()), "the first time counts");
    let end = LOST_AFTER.as_secs();
    assert!(!taken(&mut current, "three", at(end - 30)).is_lost_for_good(at(end - 1)));
    assert!(taken(&mut current, "four", at(end)).is_lost_for_good(at(end)));
    assert!(taken(&mut current, "five", at(end + 21)).is_lost_for_good(at(end + 21)), "nobody has presented it");
}

#[test]
fn who_comes_after_a_holder_that_presented_a_token_lost_for_good_waits_once_more() {
    let mut current = connected();
    assert!(taken(&mut current, "one", NOW).lost(false, PAUSE, NOW).apply(&mut current));
    let end = LOST_AFTER.as_secs();
    let second = taken(&mut current, "two", at(end));
    assert!(second.wait_again(at(end)).apply(&mut current));
    assert!(second.holds(&current) && second.is_lost_for_good(at(end)), "it learns itself what comes of it");
    assert!(!taken(&mut current, "three", at(end + 21)).is_lost_for_good(at(end + 21)), "its successor may come");
    assert!(taken(&mut current, "four", at(2 * end)).is_lost_for_good(at(2 * end)));
}

#[test]
fn a_token_that_is_found_alive_has_no_marks_of_an_earlier_look_when_it_is_presented() {
    let mut current = connected();
    assert!(taken(&mut current, "one", NOW).lost(true, PAUSE, NOW).apply(&mut current));
    let mut second = taken(&mut current, "two", at(60));
    assert!(second.is_dead && second.lost_at.is_some());
    assert!(second.found_alive().unwrap().apply(&mut current));
    assert!(!current.contains_key(LOST_AT) && !current.contains_key(DEAD_AT));
    assert!(second.holds(&current) && !second.is_dead);
    assert!(second.found_alive().is_none(), "no mark stands");
    let third = taken(&mut current, "three", at(LOST_AFTER.as_secs()));
    assert!(third.maybe_used && !third.is_lost_for_good(at(LOST_AFTER.as_secs())), "its successor may come");
}

#[test]
fn a_death_is_known_only_beside_the_time_since_which_a_successor_is_waited_for() {
    let mut current = connected();
    current.insert(DEAD_AT.to_owned(), NOW.into());
    assert!(!of(&current, "one", NOW).unwrap().is_dead);
}

#[test]
fn who_gives_a_row_back_keeps_others_from_trying_at_once_and_not_for_longer_than_is_believed() {
    for pause in [PAUSE, LONGEST_PAUSE * 4] {
        for give_back in [Claim::release, Claim::leave, |claim: &Claim, pause, now| claim.lost(true, pause, now)] {
            let mut current = connected();
            assert!(give_back(&taken(&mut current, "one", NOW), pause, NOW).apply(&mut current));
            assert_eq!(paused_until(&current, NOW), Some(NOW.plus(pause.min(LONGEST_PAUSE))));
        }
    }
}

#[test]
fn a_row_is_due_when_nobody_has_refreshed_it_for_so_long_or_a_holder_left_it() {
    let due = |row: &Attributes, days| is_due(row, Some(DAY * 20), NOW.plus(DAY * days));
    assert!(!due(&connected(), 19) && due(&connected(), 20));
    assert!(!is_due(&connected(), None, NOW.plus(DAY * 400)));
    let mut held = connected();
    taken(&mut held, "one", NOW);
    assert!(!is_due(&held, Some(DAY * 20), at(1)) && is_due(&held, None, at(21)));
    let ended = row([(ENDED_AT, NOW.into()), (REFRESH_TOKEN, "r1".into())]);
    assert!(!due(&ended, 40));
}

#[test]
fn a_connection_without_a_refresh_token_is_due_once_it_is_old() {
    let mut bare = connected();
    bare.remove(REFRESH_TOKEN);
    let due = |row: &Attributes, days| is_due(row, Some(DAY * 20), NOW.plus(DAY * days));
    assert!(!due(&bare, 19) && due(&bare, 20));
    assert!(!is_due(&bare, None, NOW.plus(DAY * 400)));
    bare.insert(ENDED_AT.to_owned(), NOW.into());
    assert!(!due(&bare, 40));
    assert!(!due(&row([("of_the_bot", "note".into())]), 40), "no connection");
}

#[test]
fn an_older_row_is_as_old_as_its_tokens_and_an_impossible_time_is_none() {
    let of = |value: Value| age(&row([(ISSUED_AT, value)]), NOW);
    assert_eq!(of(NOW.minus(DAY).into()), DAY);
    for odd in [at(3_600).into(), "1790000000000".into(), Value::Other] {
        assert_eq!(of(odd), Duration::MAX);
    }
}

#[test]
fn a_plain_token_is_sealed_where_it_still_stands_and_nobody_refreshes() {
    let seal = |row: &mut Attributes| {
        seal_plain(&RefreshTokenText::new("r1"), &RefreshTokenText::new("sealed:v1:x"), true).apply(row)
    };
    let mut current = connected();
    assert!(seal(&mut current) && !seal(&mut current));
    assert_eq!(current.get(REFRESH_TOKEN), Some(&"sealed:v1:x".into()));
    let mut held = connected();
    let holder = taken(&mut held, "one", NOW);
    assert!(!seal(&mut held));
    assert!(holder.lost(false, PAUSE, at(1)).apply(&mut held));
    assert!(!seal(&mut held), "its successor is stored where it stands");
    assert!(newest("r1", 2, at(1)).store().apply(&mut held));
}

#[test]
fn who_wrote_other_tokens_without_knowing_of_versions_is_not_ended_for_the_old_ones() {
    let mut current = connected();
    let claim = taken(&mut current, "one", NOW);
    assert!(claim.holds(&current));
    current.insert(REFRESH_TOKEN.to_owned(), "of another version's consent".into());
    assert!(!claim.holds(&current) && !claim.lost(true, PAUSE, NOW).apply(&mut current));
}

#[test]
fn what_a_bot_keeps_in_place_of_a_version_keeps_nobody_from_claiming_and_storing() {
    for odd in ["v2".into(), Value::number("1.5"), Value::number("-1"), true.into(), Value::Other] {
        let mut current = connected();
        current.insert(VERSION.to_owned(), odd);
        assert!(has_foreign_version(&current));
        taken(&mut current, "one", NOW);
        assert!(newest("r1", 2, at(1)).store().apply(&mut current));
        assert!(!has_foreign_version(&current));
    }
}
