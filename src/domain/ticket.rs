//! Tickets: what a customer needs help with, as the host's help desk tells it.

use super::customer::{CustomerId, Moment};
use super::draft::{Change, draft};
use super::fed::{Draft, Fed, fed_id, moment};
use super::text::{ExternalId, Note};
use crate::error::Faults;
use crate::record::{id, noun, words};
use time::OffsetDateTime;

id! {
    /// Identifies a ticket.
    TicketId;
}

words! {
    /// How much a ticket matters.
    pub enum TicketSeverity {
        /// It can wait.
        Low = "low",
        /// It should be looked at.
        Medium = "medium" | "normal",
        /// It keeps somebody from working.
        High = "high",
        /// It keeps everybody from working.
        Urgent = "urgent" | "critical",
    }
}

words! {
    /// Where a ticket stands.
    pub enum TicketStatus {
        /// To be worked on.
        Open = "open" | "new",
        /// Waiting for somebody.
        Pending = "pending" | "waiting" | "in_progress" | "on_hold",
        /// Answered; it may be opened again.
        Resolved = "resolved" | "solved",
        /// Over.
        Closed = "closed",
    }
}

impl TicketStatus {
    /// Whether somebody still waits.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Pending)
    }
}

noun! {
    /// What a customer needs help with. The host's help desk tells of it; tenure changes none.
    pub struct SupportTicket(TicketId), "ticket", "tickets", "support" {
        /// Identifies the ticket; follows from the external id.
        id: TicketId,
        /// Who needs help.
        customer_id: CustomerId,
        /// The host's own id for it, unique in the org.
        external_id: ExternalId => ["zd_1042"],
        /// How much it matters.
        severity: TicketSeverity => ["high"],
        /// Where it stands.
        status: TicketStatus => ["open"],
        /// What it is about, at most 10,000 characters.
        subject: Option<Note> => ["Export stops at 99 %"],
        /// How satisfied the customer was with the answer, 1–5.
        csat: Option<u32> => ["4"],
        /// When it was opened.
        opened_at: OffsetDateTime,
        /// When it was resolved.
        resolved_at: Option<OffsetDateTime>,
        /// Whether it was passed on to those above.
        escalated: bool => ["false"],
        /// Whether it speaks of a competitor: as the host says, or the name of one of
        /// [`Config::competitors`](crate::Config::competitors) is in the subject.
        competitor_mentioned: bool => ["false"],
        /// Who needs help, while it is open.
        open_for: Option<CustomerId>,
        /// When it was recorded.
        created_at: OffsetDateTime,
        /// When the record last changed.
        updated_at: OffsetDateTime,
    }
    relationships { customer: "customer" one "who needs help" }
    actions { record => recorded, update => updated }
    events { status_changed }
}

draft! {
    /// What the host says of a ticket. What is not named stays as it is.
    pub struct TicketDraft {
        /// See [`SupportTicket::severity`]; medium unless told otherwise.
        severity: String,
        /// See [`SupportTicket::status`](field@SupportTicket::status); open unless told otherwise.
        status: String,
        /// See [`SupportTicket::subject`].
        subject: String,
        /// See [`SupportTicket::csat`].
        csat: i64,
        /// See [`SupportTicket::opened_at`]. Required to record one.
        opened_at: Moment,
        /// See [`SupportTicket::resolved_at`]; taken away when it is opened again.
        resolved_at: Moment,
        /// See [`SupportTicket::escalated`].
        escalated: bool,
        /// See [`SupportTicket::competitor_mentioned`]; overrules what the subject says.
        competitor_mentioned: bool,
    }
}

impl Draft for TicketDraft {
    type Record = SupportTicket;

    fn blank(
        customer_id: CustomerId,
        external_id: ExternalId,
        now: OffsetDateTime,
    ) -> SupportTicket {
        SupportTicket {
            id: fed_id("ticket", &external_id),
            customer_id,
            external_id,
            severity: TicketSeverity::Medium,
            status: TicketStatus::Open,
            subject: None,
            csat: None,
            opened_at: now,
            resolved_at: None,
            escalated: false,
            competitor_mentioned: false,
            open_for: None,
            created_at: now,
            updated_at: now,
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        if self.opened_at.is_keep() { vec!["openedAt"] } else { Vec::new() }
    }

    fn apply(&self, to: &mut SupportTicket, latest: OffsetDateTime, faults: &mut Faults) {
        faults.required("severity", &self.severity, &mut to.severity, str::parse);
        faults.required("status", &self.status, &mut to.status, str::parse);
        faults.optional("subject", &self.subject, &mut to.subject, Note::parse);
        match self.csat {
            Change::Keep => {}
            Change::Clear => to.csat = None,
            Change::Set(csat) => match u32::try_from(csat) {
                Ok(csat @ 1..=5) => to.csat = Some(csat),
                _ => faults.add("csat", &csat.to_string(), "must be 1–5"),
            },
        }
        let opened_at = moment("openedAt", &self.opened_at, Some(to.opened_at), latest, faults);
        to.opened_at = faults.present("openedAt", opened_at).unwrap_or(to.opened_at);
        to.resolved_at = moment("resolvedAt", &self.resolved_at, to.resolved_at, latest, faults);
        match (to.resolved_at, &self.resolved_at) {
            (Some(at), Change::Set(_)) if to.status.is_open() => {
                faults.add("resolvedAt", &at.to_string(), "belongs to a ticket that is resolved");
            }
            (Some(at), _) if !to.status.is_open() && at < to.opened_at => {
                faults.add("resolvedAt", &at.to_string(), "must not be before it was opened");
            }
            _ if to.status.is_open() => to.resolved_at = None,
            _ => {}
        }
        if let Change::Set(escalated) = self.escalated {
            to.escalated = escalated;
        }
        if let Change::Set(mentioned) = self.competitor_mentioned {
            to.competitor_mentioned = mentioned;
        }
        to.open_for = to.status.is_open().then_some(to.customer_id);
    }
}

impl TicketDraft {
    /// Looks for competitors in a subject that is new, unless the host has said what is in it.
    pub(crate) fn look_for(&self, competitors: &[String], to: &mut SupportTicket) {
        if !self.subject.is_keep() && self.competitor_mentioned.is_keep() {
            let subject = to.subject.as_ref().map_or("", Note::as_str);
            to.competitor_mentioned |= mentions(subject, competitors);
        }
    }
}

impl Fed for SupportTicket {
    const WORD: &'static str = "ticket";

    fn customer(&self) -> CustomerId {
        self.customer_id
    }

    fn status(&self) -> &'static str {
        self.status.as_str()
    }

    fn touch(&mut self, now: OffsetDateTime) {
        self.updated_at = now;
    }
}

impl SupportTicket {
    /// How satisfied the customer was, and with what happened when.
    pub(crate) fn rating(&self) -> Option<(OffsetDateTime, u32)> {
        self.csat.map(|csat| (self.resolved_at.unwrap_or(self.opened_at), csat))
    }
}

/// Whether one of `names` stands in `text` as whole words, without regard to case.
///
/// ```
/// use tenure::domain::ticket::mentions;
///
/// let competitors = ["Acme Chat".to_owned(), "Drift".to_owned()];
/// assert!(mentions("Can we import from ACME-Chat?", &competitors));
/// assert!(!mentions("The clock is drifting", &competitors), "another word");
/// ```
#[must_use]
pub fn mentions(text: &str, names: &[String]) -> bool {
    let said = words_of(text);
    names.iter().map(|name| words_of(name)).any(|name| {
        !name.is_empty() && said.windows(name.len()).any(|words| words == name.as_slice())
    })
}

/// The words of a text, in lower case.
fn words_of(text: &str) -> Vec<String> {
    let words = text.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_whole_words_only() {
        let names = ["Drift", "Big Co.", "…", "", "Ünal"].map(ToOwned::to_owned);
        for said in ["drift", "DRIFT?", "we use Big  Co", "a/drift/b", "ünal's", "ÜNAL"] {
            assert!(mentions(said, &names), "{said}");
        }
        for other in ["", "…", "drifting", "adrift", "big", "co big", "big comp", "\0"] {
            assert!(!mentions(other, &names), "{other}");
        }
    }
}
