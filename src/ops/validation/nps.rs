//! Scores, surveys and last answers, counted again customer by customer.

use super::raw::Agreement;
use crate::domain::nps::{NpsResponse, NpsStanding, NpsStandingId, NpsSurvey, NpsSurveyId};
use crate::domain::period::Period;
use crate::domain::statistics::{real, rounded};
use crate::domain::validation::{Check, Comparison, check_nps, check_surveys};
use crate::error::Result;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::collections::BTreeSet;
use time::Duration;

const ANSWERED_BY: Col = <NpsResponse as Stored>::TABLE.col("customer_id");
const ASKED: Col = <NpsSurvey as Stored>::TABLE.col("customer_id");
/// How far back scores are checked: over a quarter.
const QUARTER: Duration = Duration::days(90);

impl View<'_> {
    /// The score and the response rate of the last ninety days: reported by when answers were given
    /// and by the class that was kept of each, counted again by customer, from the scores that were
    /// given and the surveys that answers name. Also whether each customer's last answer is the one
    /// that is known of it.
    pub(super) fn nps_checks(&self) -> Result<(Check, Check, Agreement)> {
        let limits = &self.config().evidence;
        let (start, end) = (self.now().saturating_sub(QUARTER), self.now());
        let Ok(period) = Period::new(start, end.saturating_add(Duration::MICROSECOND)) else {
            return Ok((check_nps(None), check_surveys(&[], 0, 0, limits), Agreement::default()));
        };
        let report = self.nps(period)?;
        let (mut worth, mut answers, mut last) = (0_i128, 0_u64, Agreement::default());
        self.each_own(
            ANSWERED_BY,
            |it: &NpsResponse| it.customer_id,
            |own| {
                for it in own.iter().filter(|it| period.contains(it.submitted_at)) {
                    answers = answers.saturating_add(1);
                    worth = worth.saturating_add(match it.score {
                        9.. => 100,
                        7..=8 => 0,
                        _ => -100,
                    });
                }
                let Some(newest) = own.iter().max_by_key(|it| it.submitted_at) else {
                    return Ok(());
                };
                let standing = self.get::<NpsStanding>(NpsStandingId::of(newest.customer_id))?;
                last.add(standing.is_some_and(|known| {
                    // Of two that were given at the same instant either may be the last.
                    let mut at_once =
                        own.iter().filter(|it| it.submitted_at == newest.submitted_at);
                    known.responded_at == Some(newest.submitted_at)
                        && at_once.any(|it| Some(it.score) == known.score)
                }));
                Ok(())
            },
        )?;
        #[expect(clippy::cast_precision_loss, reason = "−100 to 100")]
        let score = rounded(worth, answers).map(|score| score as f64);
        let is_reported = report.nps.sample_size > 0 || answers > 0;
        let nps = check_nps(is_reported.then_some((&report.nps, score, answers)));
        let (sent, answered) = self.surveys_in(period)?;
        let figures = [
            Comparison::of("surveys", Some(real(report.surveys)), Some(real(sent))),
            Comparison::of(
                "response rate",
                report.response_rate.value,
                (sent > 0).then(|| real(answered) / real(sent)),
            ),
        ];
        let is_reported = report.surveys > 0 || sent > 0;
        let figures = if is_reported { figures.as_slice() } else { &[] };
        Ok((nps, check_surveys(figures, sent, answered, limits), last))
    }

    /// How many surveys were sent in a period, and to how many of them there is an answer.
    fn surveys_in(&self, period: Period) -> Result<(u64, u64)> {
        let (mut sent, mut answered) = (0_u64, 0_u64);
        self.each_own(
            ASKED,
            |it: &NpsSurvey| it.customer_id,
            |own| {
                own.retain(|it| period.contains(it.sent_at));
                let Some(first) = own.first() else { return Ok(()) };
                let mut named: BTreeSet<NpsSurveyId> = BTreeSet::new();
                let answers = Query::all().eq(ANSWERED_BY, &first.customer_id);
                self.each(answers, |it: NpsResponse| {
                    named.extend(it.survey_id);
                    Ok(())
                })?;
                for survey in own {
                    sent = sent.saturating_add(1);
                    answered = answered.saturating_add(named.contains(&survey.id).into());
                }
                Ok(())
            },
        )?;
        Ok((sent, answered))
    }
}
