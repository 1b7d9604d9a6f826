//! The question "how likely are you to recommend us", 0–10: when it may be asked, and what follows
//! from an answer.
//!
//! A customer is not asked more often than every 90 days, counted from its last answer, nor within
//! 30 days of a survey that got none. A survey is reminded of after 3 days and closes after 7; an
//! answer that comes later still counts, and says so.

mod comparison;
mod report;
mod response;
mod survey;
mod tally;
mod themes;

pub use comparison::{NpsComparison, NpsTest, NpsVerdict};
pub(crate) use comparison::{check_comparable, compared};
pub(crate) use report::report;
pub use report::{NpsMonth, NpsPercentages, NpsReport, NpsTarget};
pub(crate) use response::CheckedResponse;
pub use response::{NpsAsked, NpsResponse, NpsResponseDraft};
pub use survey::{NpsContext, NpsSurvey, NpsSurveyDraft, NpsSurveyStatus};
pub use tally::{NpsPopulation, NpsQuery};
pub(crate) use tally::{Surveyed, Tally, reading, tallies};
pub use themes::Theme;

use super::customer::CustomerId;
use super::instant::utc;
use crate::error::{Faults, Result};
use crate::record::{id, noun};
use time::{Duration, OffsetDateTime};

id! {
    /// Identifies a survey.
    NpsSurveyId;
    /// Identifies an answer.
    NpsResponseId;
    /// Identifies what is known of a customer's answers: the same number as the customer's.
    NpsStandingId;
}

/// The kind of the task that an unhappy answer leads to.
pub const FOLLOW_UP: &str = "nps_followup";

/// How often customers are asked, and how soon things follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NpsRules {
    /// How long after an answer the customer is not asked again: 90 days.
    pub again_after_response: Duration,
    /// How long after a survey that got no answer: 30 days.
    pub again_after_silence: Duration,
    /// After what time a survey is reminded of: 3 days.
    pub reminder_after: Duration,
    /// After what time it closes: 7 days.
    pub closes_after: Duration,
    /// How soon an unhappy answer is followed up: 24 hours.
    pub follow_up_within: Duration,
    /// How old an answer is that is only history when it is recorded, so that nobody is sent to
    /// follow it up: 30 days.
    pub history_after: Duration,
}

impl Default for NpsRules {
    fn default() -> Self {
        Self {
            again_after_response: Duration::days(90),
            again_after_silence: Duration::days(30),
            reminder_after: Duration::days(3),
            closes_after: Duration::days(7),
            follow_up_within: Duration::hours(24),
            history_after: Duration::days(30),
        }
    }
}

impl NpsRules {
    /// # Errors
    ///
    /// [`Error::Invalid`] with every number that makes no sense.
    pub(crate) fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        for (field, value, least) in [
            ("nps.againAfterResponse", self.again_after_response, Duration::ZERO),
            ("nps.againAfterSilence", self.again_after_silence, Duration::ZERO),
            ("nps.reminderAfter", self.reminder_after, Duration::ZERO),
            ("nps.followUpWithin", self.follow_up_within, Duration::ZERO),
            ("nps.historyAfter", self.history_after, Duration::ZERO),
        ] {
            if value < least {
                faults.add(field, &value.to_string(), "must not be negative");
            }
        }
        if self.closes_after <= self.reminder_after {
            let rule = "must be longer than the time until the reminder";
            faults.add("nps.closesAfter", &self.closes_after.to_string(), rule);
        }
        faults.check()
    }
}

noun! {
    /// What a customer said last, and when it was last asked in vain.
    pub struct NpsStanding(NpsStandingId), "nps standing", "nps standings", "success" {
        /// The number of the customer.
        id: NpsStandingId,
        /// The last score, 0–10.
        score: Option<u32> => ["9"],
        /// When it was given.
        responded_at: Option<OffsetDateTime>,
        /// The last survey, as long as it has no answer.
        survey_id: Option<NpsSurveyId>,
        /// When that was sent.
        surveyed_at: Option<OffsetDateTime>,
    }
}

impl NpsStandingId {
    /// The id of what is known of a customer's answers.
    #[must_use]
    pub fn of(customer: CustomerId) -> Self {
        Self::from(customer.uuid())
    }
}

impl NpsStanding {
    /// Of a customer who was never asked and never answered.
    pub(crate) fn new(customer: CustomerId) -> Self {
        let id = NpsStandingId::of(customer);
        Self { id, score: None, responded_at: None, survey_id: None, surveyed_at: None }
    }

    /// Whose it is.
    #[must_use]
    pub fn customer_id(&self) -> CustomerId {
        CustomerId::from(self.id.uuid())
    }

    /// From when on the customer may be asked again; none if it never was, and never answered.
    #[must_use]
    pub fn allowed_at(&self, rules: &NpsRules) -> Option<OffsetDateTime> {
        let after = |at: Option<OffsetDateTime>, pause| Some(utc(at?.saturating_add(pause)));
        let answered = after(self.responded_at, rules.again_after_response);
        answered.max(after(self.surveyed_at, rules.again_after_silence))
    }
}
