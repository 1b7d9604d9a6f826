//! The people of the org itself who look after customers.

use super::draft::{draft, replace_or_default};
use super::email::Email;
use super::text::{Code, ExternalId, Line, Name};
use crate::error::Faults;
use crate::record::{id, noun};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a user of the host.
    UserId;
}

impl UserId {
    /// The id of the user that the host knows by `key`; the same key is always the same user.
    #[must_use]
    pub fn of(key: &str) -> Self {
        const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a001);
        Self::from(Uuid::new_v5(&SPACE, key.as_bytes()))
    }
}

noun! {
    /// A user of the host who looks after customers. The host registers them; tenure does not log
    /// anybody in.
    pub struct User(UserId), "user", "users", "people" {
        /// Identifies the user.
        id: UserId,
        /// The host's own id for the user.
        key: ExternalId => ["u_17"],
        /// The name.
        name: Name => ["Mia Park"],
        /// Where to write.
        email: Option<Email> => ["mia@example.com"],
        /// Where customers book a meeting.
        calendar_link: Option<Line> => ["https://cal.example.com/mia"],
        /// What the user may do.
        role: Code => ["sales"],
        /// The teams that the user is in.
        teams: Vec<String> => ["[\"emea\"]"],
        /// Whether the user still works there.
        is_active: bool => ["true"],
        /// When the user was registered.
        created_at: OffsetDateTime,
        /// When the record last changed.
        updated_at: OffsetDateTime,
    }
    relationships {
        customers: "customer" many "whom the user looks after",
    }
    actions { register => registered, update => updated, deactivate => deactivated }
    events { reassigned }
}

draft! {
    /// What a caller wants of a user. What is not named stays as it is.
    pub struct UserDraft {
        /// See [`User::name`]. Required to register one.
        name: String,
        /// See [`User::email`].
        email: String,
        /// See [`User::calendar_link`].
        calendar_link: String,
        /// See [`User::role`]; `sales` unless told otherwise.
        role: String,
        /// See [`User::teams`].
        teams: Vec<String>,
    }
}

impl UserDraft {
    pub(crate) fn apply(&self, to: &mut User, faults: &mut Faults) {
        faults.required("name", &self.name, &mut to.name, Name::parse);
        faults.optional("email", &self.email, &mut to.email, Email::parse);
        faults.optional("calendarLink", &self.calendar_link, &mut to.calendar_link, Line::parse);
        faults.required("role", &self.role, &mut to.role, Code::parse);
        replace_or_default(&self.teams, &mut to.teams);
        if to.teams.len() > 100 {
            faults.add("teams", &to.teams.len().to_string(), "must be at most 100");
        }
    }
}
