use super::*;
use time::macros::datetime;

#[test]
fn only_cycles_of_months_have_a_billing_day() {
    let bills = |cycle| {
        let day = BillingDay::new(31).unwrap();
        Recurrence::on_billing_day(datetime!(2024-02-10 8:00 UTC), day, cycle, TimeZone::UTC)
    };
    assert!(bills(Cycle::WEEK).is_err());
    let quarters = bills(Cycle::QUARTER).unwrap();
    assert_eq!(quarters.anchor(), datetime!(2024-02-29 0:00 UTC));
    assert_eq!(quarters.boundary(1), Some(datetime!(2024-05-31 0:00 UTC)));
}

#[test]
fn the_anchor_is_kept_as_stores_keep_it() {
    let anchor = datetime!(2024-02-10 8:00:00.123_456_789 +2);
    let daily = Recurrence::new(anchor, Cycle::DAY, TimeZone::UTC).unwrap();
    assert_eq!(daily.anchor(), datetime!(2024-02-10 6:00:00.123_456 UTC));
}

#[cfg(feature = "timezones")]
#[test]
fn in_another_zone_days_move_and_hours_do_not() {
    let moved = |cycle| {
        let recurrence = Recurrence::calendar(cycle, TimeZone::UTC);
        recurrence.moved_to("+05:00".parse().unwrap()).unwrap()
    };
    assert_eq!(moved(Cycle::DAY).anchor(), datetime!(1969-12-31 19:00 UTC));
    assert_eq!(moved(Cycle::HOUR).anchor(), datetime!(1970-01-01 0:00 UTC));
}

#[cfg(feature = "timezones")]
#[test]
fn a_day_that_clocks_leave_and_enter_again_begins_once() {
    // At 00:01 on 4 November clocks went back to 23:01 on the 3rd.
    let days = Recurrence::calendar(Cycle::DAY, "America/St_Johns".parse().unwrap());
    let midnight = datetime!(2007-11-04 2:30 UTC);
    let day_after = datetime!(2007-11-05 3:30 UTC);
    for t in [midnight, datetime!(2007-11-04 2:45 UTC), datetime!(2007-11-04 3:45 UTC)] {
        let day = days.period_containing(t).unwrap();
        assert_eq!((day.start(), day.end()), (midnight, day_after), "{t}");
    }
}
