//! The standing of an account: one table of what can follow what.

use super::machine::after;
use crate::error::Error;
use crate::record::words;

words! {
    /// The standing of a customer's account.
    pub enum CustomerStatus {
        /// Known, but not yet in touch.
        Prospect = "prospect",
        /// In touch, and worth it.
        Lead = "lead",
        /// In good standing.
        Active = "active",
        /// In good standing, but likely to leave.
        AtRisk = "at_risk",
        /// Stopped by the org, for instance for want of payment.
        Suspended = "suspended",
        /// Resting.
        Inactive = "inactive",
        /// Gone.
        Churned = "churned" | "cancelled" | "canceled",
        /// Back again.
        Reactivated = "reactivated",
    }
}

words! {
    /// What moves a customer from one standing to another.
    pub enum CustomerAction {
        /// A prospect becomes a lead.
        Qualify = "qualify",
        /// It starts, or settles after it came back.
        Activate = "activate",
        /// It is likely to leave.
        FlagAtRisk = "flag_at_risk",
        /// It is no longer likely to leave.
        Recover = "recover",
        /// The org stops it.
        Suspend = "suspend",
        /// It comes back.
        Reactivate = "reactivate",
        /// It rests.
        Deactivate = "deactivate",
        /// It leaves.
        Churn = "churn",
    }
}

use CustomerAction as A;
use CustomerStatus as S;

/// Every transition there is. What is not here is not allowed.
pub(crate) const TRANSITIONS: &[(S, A, S)] = &[
    (S::Prospect, A::Qualify, S::Lead),
    (S::Prospect, A::Activate, S::Active),
    (S::Prospect, A::Churn, S::Churned),
    (S::Lead, A::Activate, S::Active),
    (S::Lead, A::Deactivate, S::Inactive),
    (S::Lead, A::Churn, S::Churned),
    (S::Active, A::FlagAtRisk, S::AtRisk),
    (S::Active, A::Suspend, S::Suspended),
    (S::Active, A::Deactivate, S::Inactive),
    (S::Active, A::Churn, S::Churned),
    (S::AtRisk, A::Recover, S::Active),
    (S::AtRisk, A::Suspend, S::Suspended),
    (S::AtRisk, A::Deactivate, S::Inactive),
    (S::AtRisk, A::Churn, S::Churned),
    (S::Suspended, A::Reactivate, S::Reactivated),
    (S::Suspended, A::Churn, S::Churned),
    (S::Inactive, A::Reactivate, S::Reactivated),
    (S::Inactive, A::Churn, S::Churned),
    (S::Churned, A::Reactivate, S::Reactivated),
    (S::Reactivated, A::Activate, S::Active),
    (S::Reactivated, A::FlagAtRisk, S::AtRisk),
    (S::Reactivated, A::Suspend, S::Suspended),
    (S::Reactivated, A::Deactivate, S::Inactive),
    (S::Reactivated, A::Churn, S::Churned),
];

impl CustomerStatus {
    /// The standing after `action`, or `None` if it is the one that the action leads to already.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTransition`] when the action is not allowed here; it names what is.
    ///
    /// ```
    /// use tenure::{CustomerAction, CustomerStatus};
    ///
    /// assert_eq!(CustomerStatus::Active.after(CustomerAction::Suspend)?, Some(CustomerStatus::Suspended));
    /// assert_eq!(CustomerStatus::Active.after(CustomerAction::Activate)?, None);
    /// assert!(CustomerStatus::Churned.after(CustomerAction::Suspend).is_err());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    pub fn after(self, action: CustomerAction) -> Result<Option<Self>, Error> {
        let (from, action_word) = (self.as_str(), action.as_str());
        after("customer", TRANSITIONS, (self, from), (action, action_word), A::as_str)
    }

    /// Whether the account may be served: not suspended, inactive or churned.
    #[must_use]
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Suspended | Self::Inactive | Self::Churned)
    }
}

impl CustomerAction {
    /// The event that tells of it.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Qualify => "qualified",
            Self::Activate => "activated",
            Self::FlagAtRisk => "at_risk_flagged",
            Self::Recover => "recovered",
            Self::Suspend => "suspended",
            Self::Reactivate => "reactivated",
            Self::Deactivate => "deactivated",
            Self::Churn => "churned",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_total_and_answers_each_cell_one_way() {
        for from in S::ALL {
            for action in A::ALL {
                let listed = TRANSITIONS.iter().filter(|row| (row.0, row.1) == (*from, *action));
                let targets: Vec<S> = listed.map(|row| row.2).collect();
                assert!(targets.len() <= 1, "{from} {action} is listed twice");
                match from.after(*action) {
                    Ok(Some(to)) => assert_eq!([to], *targets),
                    Ok(None) => assert!(targets.is_empty()),
                    Err(Error::InvalidTransition { allowed, .. }) => {
                        assert!(targets.is_empty() && !allowed.is_empty());
                        assert!(!allowed.contains(&action.as_str()));
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }

    #[test]
    fn asking_for_the_state_one_is_in_by_its_own_action_changes_nothing() {
        for (_, action, to) in TRANSITIONS {
            let again = to.after(*action).unwrap();
            assert!(again.is_none_or(|next| next != *to), "{to} {action}");
        }
        assert_eq!(S::Churned.after(A::Churn).unwrap(), None);
    }

    #[test]
    fn words_of_other_systems_are_understood() {
        assert_eq!("cancelled".parse(), Ok(S::Churned));
        assert_eq!("At-Risk".parse(), Ok(S::AtRisk));
        assert!("gone".parse::<S>().is_err());
    }
}
