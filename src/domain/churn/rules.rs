//! The numbers by which it is told that a customer is about to leave.

use crate::error::{Faults, Result};
use time::{Duration, Time};

/// The numbers by which signals are told and interventions run.
///
/// ```
/// let mut config = tenure::Config::default();
/// config.churn.open_tickets = 5.0;
/// assert_eq!(config.churn.no_login_days, 7.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ChurnRules {
    /// `no_login_7_days` stands beyond so many days without a login: 7.
    pub no_login_days: f64,
    /// `no_login_14_days` stands beyond so many: 14, more than the other.
    pub long_no_login_days: f64,
    /// `usage_drop_50` stands below so many percent of change: −50, from −100 to 0.
    pub usage_change: f64,
    /// `nps_detractor` stands at this score or less: 6, from 0 to 10.
    pub nps_score: f64,
    /// `multiple_support_tickets` stands at so many open tickets or more: 3, at least 1.
    pub open_tickets: f64,
    /// `failed_payment` stands beyond so many failed payments: 0.
    pub failed_payments: f64,
    /// How old a figure of the host's may be before it counts as not known: 92 days. What tenure's
    /// own records show is never too old.
    pub figure_age_max: Duration,
    /// Whether a signal starts its playbook when it is noticed: yes. Without it interventions are
    /// started by hand.
    pub starts_playbooks: bool,
    /// When the business day ends, on the customer's clock, Monday to Friday: 17:00.
    pub business_day_end: Time,
    /// After how many attempts an action that the channel does not take has failed: 10, which takes
    /// about four hours. At least one is made.
    pub channel_attempts_max: u32,
}

const FIVE_PM: Time = match Time::from_hms(17, 0, 0) {
    Ok(time) => time,
    Err(_) => Time::MIDNIGHT,
};

impl Default for ChurnRules {
    fn default() -> Self {
        Self {
            no_login_days: 7.0,
            long_no_login_days: 14.0,
            usage_change: -50.0,
            nps_score: 6.0,
            open_tickets: 3.0,
            failed_payments: 0.0,
            figure_age_max: Duration::days(92),
            starts_playbooks: true,
            business_day_end: FIVE_PM,
            channel_attempts_max: 10,
        }
    }
}

impl ChurnRules {
    /// Whether the numbers make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every fault.
    pub fn check(&self) -> Result<()> {
        const COUNT: &str = "must be a number from 0 to 1,000,000";
        let mut faults = Faults::default();
        let mut within = |field: &str, value: f64, low: f64, high: f64, rule| {
            if !(low <= value && value <= high) {
                faults.add(format!("churn.{field}"), &value.to_string(), rule);
            }
        };
        within("noLoginDays", self.no_login_days, 0.0, 1e6, COUNT);
        within("longNoLoginDays", self.long_no_login_days, 0.0, 1e6, COUNT);
        within("usageChange", self.usage_change, -100.0, 0.0, "must be from −100 to 0 percent");
        within("npsScore", self.nps_score, 0.0, 10.0, "must be from 0 to 10");
        within("openTickets", self.open_tickets, 1.0, 1e6, "must be from 1 to 1,000,000");
        within("failedPayments", self.failed_payments, 0.0, 1e6, COUNT);
        if self.long_no_login_days <= self.no_login_days {
            let value = self.long_no_login_days.to_string();
            faults.add("churn.longNoLoginDays", &value, "must be more than noLoginDays");
        }
        if !self.figure_age_max.is_positive() {
            let value = self.figure_age_max.to_string();
            faults.add("churn.figureAgeMax", &value, "must be more than nothing");
        }
        faults.check()
    }
}
