use super::*;
use crate::domain::cycle::Cycle;
use time::macros::datetime;

const JANUARY: OffsetDateTime = datetime!(2024-01-31 0:00 UTC);

fn monthly(start: Option<OffsetDateTime>, end: Option<OffsetDateTime>) -> Schedule {
    let recurrence = Recurrence::new(JANUARY, Cycle::MONTH, TimeZone::UTC).unwrap();
    Schedule::new(recurrence, start, end).unwrap()
}

#[test]
fn periods_over_count_the_cut_ones_and_stop_with_the_end() {
    let (start, end) = (datetime!(2024-01-15 0:00 UTC), datetime!(2024-03-15 0:00 UTC));
    let schedule = monthly(Some(start), Some(end));
    let elapsed = |t| schedule.elapsed(t).unwrap();
    assert_eq!(elapsed(start - Duration::DAY), 0);
    assert_eq!(elapsed(JANUARY), 1);
    assert_eq!(elapsed(end - Duration::MICROSECOND), 2);
    assert_eq!(elapsed(end), 3);
    assert_eq!(elapsed(end + Duration::weeks(1_000)), 3);
    assert_eq!(schedule.period(-1), None);
    assert_eq!(schedule.period(3), None);
    assert_eq!(schedule.next_after(end), None);
}

#[test]
fn without_a_start_periods_are_numbered_from_the_anchor() {
    let schedule = monthly(None, None);
    assert_eq!(schedule.index_of(JANUARY - Duration::DAY), Some(-1));
    assert_eq!(schedule.elapsed(JANUARY - Duration::DAY), Some(0));
    assert_eq!(schedule.period_or_first(JANUARY), schedule.period(0));
}

#[test]
fn the_last_period_may_end_where_no_further_boundary_lies() {
    let (from, end) = (datetime!(9999-12-31 0:00 UTC), datetime!(9999-12-31 12:00 UTC));
    let last = monthly(None, Some(end)).period_containing(from).unwrap();
    assert_eq!((last.start(), last.end()), (from, end));
    assert_eq!(monthly(None, None).period_containing(from), None);
}

#[test]
fn what_lies_beyond_the_year_9999_is_refused() {
    let late = datetime!(9999-12-31 23:30 -01:00);
    assert!(Recurrence::new(late, Cycle::MONTH, TimeZone::UTC).is_err());
    assert!(Schedule::new(monthly(None, None).recurrence().clone(), None, Some(late)).is_err());
}

#[test]
fn a_schedule_that_is_over_cannot_move() {
    let end = datetime!(2024-03-15 0:00 UTC);
    assert!(monthly(None, Some(end)).moved_to(TimeZone::UTC, end).is_err());
}

#[cfg(feature = "timezones")]
#[test]
fn before_the_start_everything_moves() {
    let start = datetime!(2024-02-10 0:00 UTC);
    let moved = monthly(Some(start), None).moved_to("+05:00".parse().unwrap(), JANUARY).unwrap();
    assert_eq!(moved.start(), Some(start));
    assert_eq!(moved.next_after(start), Some(datetime!(2024-02-28 19:00 UTC)));
}
