//! Answers in points: how much, not only whether.

use crate::error::{Faults, Result};
use crate::record::words;

words! {
    /// How far a lead is, by its points.
    pub enum LeadGrade {
        /// Not yet to be sold to.
        Developing = "developing",
        /// To be kept warm.
        Mql = "mql",
        /// To be sold to.
        WarmSql = "warm_sql",
        /// To be sold to at once.
        HotSql = "hot_sql",
    }
}

/// A way to give points for budget, authority, need and timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scorecard {
    /// The fewest points for an answer.
    pub least: u32,
    /// The most points for an answer.
    pub most: u32,
    /// The most points for how well the customer fits.
    pub fit_max: u32,
    /// From how many points on a lead has a grade, the lowest first.
    pub grades: &'static [(u32, LeadGrade)],
}

impl Scorecard {
    /// One to five points for each answer and up to five for the fit; from 12 on it is for sales or
    /// nearly so.
    pub const ONE_TO_FIVE: Self = Self {
        least: 1,
        most: 5,
        fit_max: 5,
        grades: &[
            (8, LeadGrade::Developing),
            (12, LeadGrade::Mql),
            (15, LeadGrade::WarmSql),
            (20, LeadGrade::HotSql),
        ],
    };

    /// None to three points for each answer, twelve at the most, without grades.
    pub const NONE_TO_THREE: Self = Self { least: 0, most: 3, fit_max: 0, grades: &[] };

    /// The points for budget, authority, need and timeline, and for the fit, together.
    ///
    /// ```
    /// use tenure::domain::lead::{LeadGrade, Scorecard};
    ///
    /// let card = Scorecard::ONE_TO_FIVE;
    /// let points = card.points([5, 4, 4, 2], 1)?;
    /// assert_eq!((points, card.grade(points)), (16, Some(LeadGrade::WarmSql)));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every answer that is not on the card.
    pub fn points(self, answers: [u32; 4], fit: u32) -> Result<u32> {
        let mut faults = Faults::default();
        for (factor, points) in super::BANT.into_iter().zip(answers) {
            if !(self.least..=self.most).contains(&points) {
                faults.add(factor, &points.to_string(), "must be on the scale of the scorecard");
            }
        }
        if fit > self.fit_max {
            faults.add("fit", &fit.to_string(), "must be on the scale of the scorecard");
        }
        faults.check()?;
        Ok(answers.into_iter().fold(fit, u32::saturating_add))
    }

    /// How far a lead with so many points is; none below the lowest grade.
    #[must_use]
    pub fn grade(self, points: u32) -> Option<LeadGrade> {
        self.grades.iter().rev().find(|(from, _)| points >= *from).map(|(_, grade)| *grade)
    }

    /// Points for one answer as the value of a factor of the score, 0–100; none off the scale.
    ///
    /// ```
    /// use tenure::domain::lead::Scorecard;
    ///
    /// assert_eq!(Scorecard::ONE_TO_FIVE.value(4), Some(75.0));
    /// assert_eq!(Scorecard::ONE_TO_FIVE.value(0), None);
    /// ```
    #[must_use]
    pub fn value(self, points: u32) -> Option<f64> {
        let (above, range) = (points.checked_sub(self.least)?, self.most.checked_sub(self.least)?);
        (above <= range && range > 0).then(|| 100.0 * f64::from(above) / f64::from(range))
    }
}

/// The points, none to three, for so many months until it is wanted: 3 for half a year, 2 for one,
/// 1 for two, 0 for later or an unknown time.
///
/// ```
/// use tenure::domain::lead::timeline_points;
///
/// assert_eq!([Some(6.0), Some(12.0), Some(24.0), None].map(timeline_points), [3, 2, 1, 0]);
/// ```
#[must_use]
pub fn timeline_points(months: Option<f64>) -> u32 {
    match months {
        Some(months) if months <= 6.0 => 3,
        Some(months) if months <= 12.0 => 2,
        Some(months) if months <= 24.0 => 1,
        _ => 0,
    }
}
