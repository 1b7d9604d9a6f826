//! Qualification: the four answers that make a lead of a prospect.

use crate::domain::customer::CustomerId;
use crate::domain::draft::{draft, replace};
use crate::domain::text::Note;
use crate::error::Faults;
use crate::record::{id, noun};
use time::OffsetDateTime;

id! {
    /// Identifies a state that the answers of a lead had.
    LeadQualificationId;
}

noun! {
    /// What was known of a lead's budget, authority, need and timeline from an instant on. A new one
    /// is kept whenever an answer changes.
    pub struct LeadQualification(LeadQualificationId), "lead qualification",
        "lead qualifications", "crm" {
        /// Identifies this state of the answers.
        id: LeadQualificationId,
        /// Whose they are.
        customer_id: CustomerId,
        /// Whether there is money for it; none if that is not known.
        budget: Option<bool> => ["true"],
        /// Whether who decides is in touch.
        authority: Option<bool> => ["true"],
        /// Whether it solves a problem that is there.
        need: Option<bool> => ["true"],
        /// Whether it is wanted in foreseeable time.
        timeline: Option<bool> => ["false"],
        /// Whether all four are so.
        is_qualified: bool => ["false"],
        /// What else was said.
        notes: Option<Note>,
        /// Who recorded the answers.
        performed_by: String => ["system"],
        /// When they were recorded.
        created_at: OffsetDateTime,
    }
    relationships { customer: "customer" one "whose they are" }
    events { answered }
}

draft! {
    /// Answers that are new. What is not named stays; an answer can be taken back with
    /// [`Change::Clear`](crate::Change::Clear).
    pub struct BantAnswers {
        /// See [`LeadQualification::budget`].
        budget: bool,
        /// See [`LeadQualification::authority`].
        authority: bool,
        /// See [`LeadQualification::need`].
        need: bool,
        /// See [`LeadQualification::timeline`].
        timeline: bool,
        /// See [`LeadQualification::notes`].
        notes: String,
    }
}

impl BantAnswers {
    pub(crate) fn apply(&self, to: &mut LeadQualification, faults: &mut Faults) {
        replace(&self.budget, &mut to.budget);
        replace(&self.authority, &mut to.authority);
        replace(&self.need, &mut to.need);
        replace(&self.timeline, &mut to.timeline);
        faults.optional("notes", &self.notes, &mut to.notes, Note::parse);
        to.is_qualified = to.answers().iter().all(|it| *it == Some(true));
    }
}

impl LeadQualification {
    /// The four answers, in the order of their name: budget, authority, need, timeline.
    #[must_use]
    pub const fn answers(&self) -> [Option<bool>; 4] {
        [self.budget, self.authority, self.need, self.timeline]
    }
}
