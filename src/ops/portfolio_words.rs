//! What a report on all customers says of single ones: why they fell, and what to do.

use crate::domain::churn::intervention::{ActionStatus, Intervention, InterventionAction};
use crate::domain::customer::CustomerId;
use crate::domain::expansion::ExpansionOpportunity;
use crate::domain::health::HealthRecord;
use crate::domain::instant::utc;
use crate::error::Result;
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use time::OffsetDateTime;

const SCORED: Col = <HealthRecord as Stored>::TABLE.col("customer_id");
const SCORE: Col = <HealthRecord as Stored>::TABLE.col("score");
const CALCULATED_AT: Col = <HealthRecord as Stored>::TABLE.col("calculated_at");

/// How many reasons are given for a fall.
const REASONS: usize = 3;
/// How much advice is given for a customer.
const ADVICE: usize = 6;

impl View<'_> {
    /// Which metrics lowered a customer's score since then, the greatest fall first.
    pub(super) fn reasons(
        &self,
        customer: CustomerId,
        since: OffsetDateTime,
    ) -> Result<Vec<String>> {
        let given = || Query::all().eq(SCORED, &customer).filter(SCORE, Op::Ne, &None::<u32>);
        let until = given().filter(CALCULATED_AT, Op::Le, &since).newest_by(CALCULATED_AT);
        let before = match self.first(until)? {
            Some(before) => Some(before),
            // It was first scored later than that.
            None => self.first(given().oldest_by(CALCULATED_AT))?,
        };
        let after = self.health_record_at(customer, self.now())?;
        let (Some(before), Some(after)) = (before, after) else { return Ok(Vec::new()) };
        let before: HealthRecord = before;
        let difference = self.health_difference(before.id, after.id)?;
        let fell = difference.moves.iter().filter(|it| it.by <= -0.05).take(REASONS);
        let mut reasons: Vec<String> = fell.map(ToString::to_string).collect();
        if difference.model_changed {
            reasons.push("It is scored by another model.".to_owned());
        }
        Ok(reasons)
    }

    /// What to do for a customer that may leave: what its interventions want done now, and what
    /// endangers it.
    pub(super) fn advice(&self, customer: CustomerId) -> Result<Vec<String>> {
        let mut advice = Vec::new();
        for intervention in self.running_interventions(customer)? {
            let actions = self.actions_of(intervention.id)?;
            let due = actions.iter().filter(|it| is_due(it, self.now()));
            advice.extend(due.map(|it| action(it, &intervention)));
        }
        if let Some(record) = self.health_record_at(customer, self.now())? {
            advice.extend(record.risk_factors.iter().map(|it| sentence(&it.to_string())));
        }
        let more = advice.len().saturating_sub(ADVICE);
        if more > 0 {
            advice.truncate(ADVICE);
            advice.push(format!("And {more} more."));
        }
        Ok(advice)
    }
}

/// Whether somebody should do it: it is due, or the channel would not take it.
fn is_due(action: &InterventionAction, now: OffsetDateTime) -> bool {
    action.status == ActionStatus::Failed
        || !action.status.is_settled() && action.due_at.is_some_and(|at| at <= now)
}

fn action(action: &InterventionAction, of: &Intervention) -> String {
    let (what, why) = (said(&action.action), said(&of.signal));
    let channel = said(&action.channel);
    let how = if what.contains(&channel) { String::new() } else { format!(" ({channel})") };
    match action.due_at {
        _ if action.status == ActionStatus::Failed => {
            sentence(&format!("{what}{how} by hand, the channel would not take it: {why}"))
        }
        Some(at) => sentence(&format!("{what}{how}, due since {}: {why}", utc(at).date())),
        None => sentence(&format!("{what}{how}: {why}")),
    }
}

pub(super) fn offer(opportunity: &ExpansionOpportunity) -> String {
    let value = opportunity.estimated_value.map(|it| format!("{it} a month, "));
    let (value, action) = (value.unwrap_or_default(), &opportunity.recommended_action);
    let percent = opportunity.probability * 100.0;
    format!("{action} ({value}{percent:.0} % likely, {})", said(&opportunity.timing))
}

/// A word of a list, as people write it.
pub(super) fn said(word: &impl ToString) -> String {
    word.to_string().replace('_', " ")
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str()).replace('_', " ")
}
