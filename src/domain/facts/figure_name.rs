//! The names of figures, and figures as they are kept and told. The names that rules look at are
//! many times in memory while a portfolio is evaluated, so they are not allocated.

use super::{Figure, FigureSource, Figures, names};
use crate::value::{Field as _, Value, field, to_json};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use time::OffsetDateTime;

/// The name of a figure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FigureName(pub(super) Cow<'static, str>);

impl FigureName {
    /// The name itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FigureName {
    fn from(name: &str) -> Self {
        let known = names::ALL.binary_search(&name).ok().and_then(|place| names::ALL.get(place));
        Self(known.map_or_else(|| Cow::Owned(name.to_owned()), |known| Cow::Borrowed(*known)))
    }
}

impl Serialize for FigureName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FigureName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = FigureName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a figure")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<FigureName, E> {
                Ok(name.into())
            }
        }
        from.deserialize_str(Name)
    }
}

/// Calls `each` with every entry of a map by name, in its order.
pub(crate) fn each_named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
    each: impl FnMut(FigureName, T),
) -> Result<(), D::Error> {
    struct Entries<T, F>(F, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, F: FnMut(FigureName, T)> Visitor<'de> for Entries<T, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("figures by name")
        }

        fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
            while let Some((name, value)) = map.next_entry()? {
                self.0(name, value);
            }
            Ok(())
        }
    }
    from.deserialize_map(Entries(each, std::marker::PhantomData))
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Figures {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut figures = Self::default();
        each_named(from, |name, figure| figures.keep(name, figure))?;
        Ok(figures)
    }
}

/// Figures as they are kept: `{"nps_score":[9.0,1769860800000000,"host"]}`, the instant in
/// microseconds since 1970. There is one list for every score of every customer.
struct Kept<F>(F);

impl Serialize for Kept<&Figures> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let short = |(name, it): (_, Figure)| (name, (it.value, micros(it.at), it.source));
        to.collect_map(self.0.iter().map(short))
    }
}

impl<'de> Deserialize<'de> for Kept<Figures> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (mut figures, mut wrong) = (Figures::default(), false);
        each_named(from, |name, (value, at, source): (f64, i64, FigureSource)| {
            match instant(at) {
                Some(at) => figures.keep(name, Figure { value, at, source }),
                None => wrong = true,
            }
        })?;
        if wrong { Err(D::Error::custom("no instant")) } else { Ok(Self(figures)) }
    }
}

field!(Figures, Json, |s| to_json(&Kept(s)), |v| {
    serde_json::from_str::<Kept<Self>>(&v).ok().map(|kept| kept.0)
});

/// An instant in microseconds since 1970.
pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    match at.to_value() {
        Value::Time(micros) => micros,
        _ => 0,
    }
}

/// The instant that so many microseconds since 1970 are.
pub(crate) fn instant(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_value(Value::Time(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn every_name_that_rules_look_at_is_found() {
        assert!(names::ALL.is_sorted());
        for name in names::ALL {
            assert!(matches!(FigureName::from(name).0, Cow::Borrowed(_)), "{name}");
        }
        assert_eq!(FigureName::from("visits").as_str(), "visits");
    }

    #[test]
    fn figures_are_kept_short_and_told_in_full() {
        let at = datetime!(2026-01-31 12:00 UTC);
        let mut figures = Figures::default();
        for (name, value) in [("visits", 7.0), ("nps_score", 9.0), ("a", 0.1 + 0.2)] {
            figures.set(name, Figure { value, at, source: FigureSource::Host });
        }
        let Value::Json(kept) = figures.to_value() else { panic!("it is JSON") };
        assert!(kept.contains(r#""nps_score":[9.0,1769860800000000,"host"]"#), "{kept}");
        assert_eq!(Figures::from_value(Value::Json(kept)), Some(figures.clone()));
        let told = to_json(&figures);
        assert!(told.contains(r#""at":"2026-01-31T12:00:00Z""#), "{told}");
        assert_eq!(serde_json::from_str::<Figures>(&told).unwrap(), figures);
        let wrong = Value::Json(r#"{"a":[1.0,9223372036854775807,"host"]}"#.to_owned());
        assert_eq!(Figures::from_value(wrong), None);
    }
}
