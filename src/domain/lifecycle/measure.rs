//! What the rules of the journey look at, in words.

use crate::record::words;

words! {
    /// What a condition looks at. Those that say whether something is so are 1 or 0.
    pub enum StageMeasure {
        /// How well the customer is doing, 0–100.
        HealthScore = "health_score",
        /// Days since anybody there logged in.
        DaysSinceLastLogin = "days_since_last_login",
        /// Tickets of high severity that are open.
        HighSeverityTickets = "high_severity_tickets",
        /// The last answer to "would you recommend us", 0–10.
        NpsScore = "nps_score",
        /// How much of the onboarding is done, in percent.
        OnboardingCompletion = "onboarding_completion",
        /// Days since it became a customer, or came back.
        DaysAsCustomer = "days_as_customer",
        /// Days since it entered its stage.
        DaysInStage = "days_in_stage",
        /// Days until the next renewal; negative when it is overdue.
        DaysUntilRenewal = "days_until_renewal",
        /// Days until the trial ends; negative when it has ended.
        TrialDaysRemaining = "trial_days_remaining",
        /// Opportunities that are open.
        OpenOpportunities = "open_opportunities",
        /// Whether a paid subscription is active.
        PaidActive = "paid_active",
        /// Whether the last paid subscription is over.
        PaidEnded = "paid_ended",
        /// Whether it was renewed since it entered its stage.
        Renewed = "renewed",
        /// Whether a renewal is near that was not made yet.
        RenewalDue = "renewal_due",
        /// Whether an open opportunity is newer than the last time that it was expanding.
        NewOpportunity = "new_opportunity",
        /// Whether an opportunity was won since it entered its stage.
        OpportunityWon = "opportunity_won",
        /// Whether an opportunity was lost since it entered its stage.
        OpportunityLost = "opportunity_lost",
        /// Whether the account is open, not churned.
        AccountOpen = "account_open",
    }
}

words! {
    /// How a figure must relate to its bound.
    pub enum StageRelation {
        /// Less than the bound.
        Below = "below",
        /// The bound or less.
        AtMost = "at_most",
        /// The bound or more.
        AtLeast = "at_least",
        /// More than the bound.
        Above = "above",
    }
}

impl StageMeasure {
    /// What it says of something that is so, and of something that is not; none for a number.
    pub(super) const fn phrases(self) -> Option<[&'static str; 2]> {
        Some(match self {
            Self::PaidActive => ["a paid subscription is active", "no paid subscription is active"],
            Self::PaidEnded => {
                ["the last paid subscription is over", "the paid subscription is not over"]
            }
            Self::Renewed => ["it was renewed", "it was not renewed"],
            Self::RenewalDue => ["the renewal is to be made", "no renewal is to be made"],
            Self::NewOpportunity => ["the opportunity is new", "the opportunity is not new"],
            Self::OpportunityWon => ["an opportunity was won", "no opportunity was won"],
            Self::OpportunityLost => ["an opportunity was lost", "no opportunity was lost"],
            Self::AccountOpen => ["the account is open", "the account is churned"],
            _ => return None,
        })
    }

    /// What a figure is called in a sentence.
    pub(super) fn label(self) -> String {
        match self {
            Self::NpsScore => "NPS".to_owned(),
            other => other.as_str().replace('_', " "),
        }
    }
}
