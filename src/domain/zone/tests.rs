use super::*;

#[test]
fn what_is_no_zone_is_refused() {
    let long = "x".repeat(300);
    for text in ["", " ", "Mars/Base", "../../etc/passwd", "Etc/Unknown", "+3", "+18:01", &long] {
        assert!(TimeZone::parse(text).is_err(), "{text}");
    }
    assert_eq!("utc".parse(), Ok(TimeZone::UTC));
}

#[cfg(not(feature = "timezones"))]
#[test]
fn without_the_database_the_refusal_names_the_feature() {
    let refusal = TimeZone::parse("Europe/Paris").unwrap_err();
    assert!(refusal.rule.contains("`timezones`"));
}

#[cfg(feature = "timezones")]
mod iana {
    use super::*;
    use crate::value::{Field as _, Value};
    use time::macros::{date, datetime};

    fn zone(name: &str) -> TimeZone {
        name.parse().unwrap()
    }

    #[test]
    fn a_name_is_kept_as_the_database_spells_it_in_text_json_and_column() {
        let zone = zone("america/new_york");
        assert_eq!(zone.to_string(), "America/New_York");
        assert_eq!(zone.to_value(), Value::Text("America/New_York".into()));
        assert_eq!(TimeZone::from_value(zone.to_value()), Some(zone.clone()));
        let json = serde_json::to_string(&zone).unwrap();
        assert_eq!(json, "\"America/New_York\"");
        assert_eq!(serde_json::from_str::<TimeZone>(&json).unwrap(), zone);
        assert!(serde_json::from_str::<TimeZone>("\"Mars/Base\"").is_err());
    }

    #[test]
    fn offsets_are_zones_and_no_offset_is_utc() {
        assert_eq!(zone("-00:00"), TimeZone::UTC);
        assert_eq!(
            zone("-03:30").local(datetime!(2024-01-01 0:00 UTC)),
            Some(datetime!(2023-12-31 20:30))
        );
        for text in ["+1:00", "+01:60", "+0100", "+01:0x", "+-1:00", "++1:00", "+01:00:00", "+€:00"]
        {
            assert!(TimeZone::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_skipped_time_is_as_much_later_and_a_repeated_one_is_the_earlier() {
        let paris = zone("Europe/Paris");
        assert_eq!(
            paris.instant(datetime!(2024-03-31 02:30)),
            Some(datetime!(2024-03-31 01:30 UTC))
        );
        assert_eq!(
            paris.instant(datetime!(2024-10-27 02:30)),
            Some(datetime!(2024-10-27 00:30 UTC))
        );
    }

    #[test]
    fn a_day_without_midnight_begins_when_its_clocks_do() {
        let midnight = zone("America/Sao_Paulo").midnight(date!(2018 - 11 - 04));
        assert_eq!(midnight, Some(datetime!(2018-11-04 03:00 UTC)));
    }

    #[test]
    fn days_lie_between_days_not_hours() {
        let (from, to) = (datetime!(2024-03-31 21:30 UTC), datetime!(2024-03-31 22:30 UTC));
        assert_eq!(zone("Europe/Paris").days_between(from, to), Some(1));
        assert_eq!(TimeZone::UTC.days_between(to, from), Some(0));
    }

    #[test]
    fn beyond_the_years_1_to_9999_there_is_no_answer() {
        let (east, west) = (zone("+14:00"), zone("-12:00"));
        assert_eq!(east.local(datetime!(9999-12-31 12:00 UTC)), None);
        assert_eq!(west.local(datetime!(0001-01-01 11:00 UTC)), None);
        assert_eq!(east.instant(datetime!(0001-01-01 0:00)), None);
        assert_eq!(west.instant(datetime!(9999-12-31 23:00)), None);
        assert_eq!(TimeZone::UTC.instant(datetime!(0000-12-31 23:00)), None);
        assert!(zone("Asia/Tokyo").local(datetime!(9999-12-31 02:00 UTC)).is_some());
        assert!(west.local(PrimitiveDateTime::MAX.assume_utc()).is_some());
        assert_eq!(west.local(PrimitiveDateTime::MIN.assume_utc()), None);
    }
}
