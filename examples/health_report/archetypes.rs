//! How customers live: a few ways in which a year can go, told by one number, their vitality.

/// A way in which a customer's year goes.
pub(crate) struct Archetype {
    pub(crate) name: &'static str,
    /// How many of a hundred customers are so.
    pub(crate) percent: u32,
    /// The week of the year in which they sign up.
    pub(crate) arrives: u32,
    /// How lively they are in their first week and in the last, 0–1.
    from: f64,
    to: f64,
    /// How far the season moves that up and down.
    swing: f64,
    /// Whether they cancel when hardly anything is left.
    pub(crate) cancels: bool,
}

const fn archetype(name: &'static str, percent: u32, from: f64, to: f64) -> Archetype {
    Archetype { name, percent, arrives: 0, from, to, swing: 0.0, cancels: false }
}

pub(crate) const ARCHETYPES: [Archetype; 8] = [
    archetype("thriving", 15, 0.90, 0.95),
    archetype("growing", 15, 0.45, 0.95),
    archetype("steady", 25, 0.70, 0.70),
    archetype("fading", 12, 0.85, 0.15),
    archetype("quiet", 8, 0.10, 0.10),
    Archetype { swing: 0.35, ..archetype("seasonal", 10, 0.55, 0.55) },
    Archetype { arrives: 30, ..archetype("new", 10, 0.25, 0.85) },
    Archetype { cancels: true, ..archetype("leaving", 5, 0.60, 0.05) },
];

impl Archetype {
    /// That of the customer with this number: of any hundred, each has its share.
    pub(crate) fn of(number: usize) -> &'static Self {
        // Steps of 37 mix them: no two neighbours are alike.
        let mut place = u32::try_from(number * 37 % 100).unwrap_or(0);
        for archetype in &ARCHETYPES {
            if place < archetype.percent {
                return archetype;
            }
            place -= archetype.percent;
        }
        &ARCHETYPES[0]
    }

    /// How lively such a customer is in a week of the year, 0–1.
    pub(crate) fn vitality(&self, week: u32, weeks: u32) -> f64 {
        let lived = f64::from(week.saturating_sub(self.arrives));
        let progress = lived / f64::from((weeks - self.arrives).max(1));
        let season = (progress * std::f64::consts::TAU).sin() * self.swing;
        (self.from + (self.to - self.from) * progress + season).clamp(0.0, 1.0)
    }
}
