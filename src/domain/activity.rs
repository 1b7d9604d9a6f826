//! Activity: what a customer's people do in the product, as the host reports it.

use super::csv;
use super::customer::CustomerId;
use super::document::Document;
use super::instant;
use super::pulse::{day_of, midnight};
use super::text::{Code, ExternalId, IdempotencyKey};
use crate::error::Faults;
use crate::record::{id, noun, words};
use crate::value::json_field;
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How many different features are counted on one day.
pub(crate) const FEATURES_MAX: usize = 1_000;

id! {
    /// Identifies an activity.
    ActivityId;
    /// Identifies the activity of one customer on one day.
    DailyActivityId;
    /// Identifies the days of a month on which somebody was active.
    ActiveUserId;
}

words! {
    /// The kinds of activity that tenure makes something of; those of the host are all
    /// [`Action`](Self::Action).
    pub enum Kind {
        /// Somebody logged in.
        Login = "login",
        /// Somebody spent time in the product.
        Session = "session",
        /// Somebody used a feature.
        FeatureUse = "feature_use",
        /// Somebody did something else.
        Action = "action",
        /// Somebody opened an email.
        EmailOpened = "email_opened",
        /// Somebody followed a link in an email.
        EmailClicked = "email_clicked",
        /// There was a meeting with the customer.
        Meeting = "meeting",
        /// The product handled a conversation, or what else it is for.
        Conversation = "conversation",
    }
}

impl Kind {
    /// What tenure makes of a kind.
    #[must_use]
    pub fn of(kind: &Code) -> Self {
        let known = Self::ALL.iter().find(|it| it.as_str() == kind.as_str());
        known.copied().unwrap_or(Self::Action)
    }

    /// Whether it counts as something done: actions, and kinds of the host's own.
    #[must_use]
    pub const fn is_action(self) -> bool {
        matches!(self, Self::Action)
    }

    /// Whether the product was used: features, actions and conversations, not mere presence.
    #[must_use]
    pub const fn is_use(self) -> bool {
        matches!(self, Self::FeatureUse | Self::Action | Self::Conversation)
    }
}

noun! {
    /// Something that a customer's people did.
    pub struct Activity(ActivityId), "activity", "activities", "success" {
        /// Identifies the activity; follows from customer and idempotency key if there is one.
        id: ActivityId,
        /// Whose people did it.
        customer_id: CustomerId,
        /// The host's own id of who did it.
        user: Option<ExternalId> => ["u_17"],
        /// What it was: one of `login`, `session`, `feature_use`, `action`, `email_opened`,
        /// `email_clicked`, `meeting`, `conversation`, or a code of the host's own.
        kind: Code => ["login"],
        /// When it took place; a session, when it began.
        at: OffsetDateTime,
        /// The feature that was used.
        feature: Option<Code> => ["ai_credits"],
        /// How long a session took, in seconds.
        duration_seconds: Option<i64> => ["540"],
        /// Whether a conversation was handled without people.
        is_automated: Option<bool> => ["true"],
        /// Anything of the host's.
        properties: Document,
        /// What makes a retry recognisable, unique for the customer for ever.
        idempotency_key: Option<IdempotencyKey> => ["evt_8f14e45f"],
        /// When it was recorded.
        created_at: OffsetDateTime,
    }
    relationships { customer: "customer" one "whose people did it" }
    actions { record => recorded }
}

/// How often each feature was used.
pub type FeatureCounts = BTreeMap<Code, u64>;

json_field!(FeatureCounts);

noun! {
    /// What a customer's people did on one UTC day, added up.
    pub struct DailyActivity(DailyActivityId), "daily activity", "daily activities", "success" {
        /// Identifies the day; follows from customer and day.
        id: DailyActivityId,
        /// Whose people they are.
        customer_id: CustomerId,
        /// The first instant of the day.
        day: OffsetDateTime,
        /// How many of them did anything.
        active_users: u32 => ["3"],
        /// Logins.
        logins: u32 => ["4"],
        /// Sessions that began.
        sessions: u32 => ["5"],
        /// How long these took together, in seconds.
        session_seconds: i64 => ["2700"],
        /// How often each feature was used.
        features: FeatureCounts => ["{\"ai_credits\":7}"],
        /// What else was done, kinds of the host's own included.
        actions: u32 => ["12"],
        /// Emails that were opened.
        emails_opened: u32 => ["1"],
        /// Links in emails that were followed.
        emails_clicked: u32 => ["0"],
        /// Meetings.
        meetings: u32 => ["0"],
        /// Conversations that were handled.
        conversations: u32 => ["40"],
        /// Those of them that were handled without people.
        automated: u32 => ["31"],
    }
    relationships { customer: "customer" one "whose people they are" }
}

noun! {
    /// The days of a month on which one of a customer's people did anything: so that those who were
    /// active in any stretch of days can be counted, each once.
    pub struct ActiveUser(ActiveUserId), "active user", "active users", "success" {
        /// Identifies user and month; follows from customer, user and month.
        id: ActiveUserId,
        /// Whose people they are.
        customer_id: CustomerId,
        /// The first instant of the month, in UTC.
        month: OffsetDateTime,
        /// The host's own id of the user.
        user: ExternalId => ["u_17"],
        /// The days: bit 0 is the first of the month.
        days: u32 => ["5"],
    }
    relationships { customer: "customer" one "whose people they are" }
}

csv::exported!(Activity, DailyActivity);

impl ActivityId {
    /// The id of the activity that holds a key of a customer: derived, so that a key counts once.
    #[must_use]
    pub fn of(customer: CustomerId, key: &IdempotencyKey) -> Self {
        Self::from(Uuid::new_v5(&customer.uuid(), format!("activity {key}").as_bytes()))
    }
}

impl DailyActivity {
    /// A day on which nothing was done yet.
    pub(crate) fn blank(customer_id: CustomerId, day: i32) -> Self {
        let name = format!("active on {day}");
        Self {
            id: DailyActivityId::from(Uuid::new_v5(&customer_id.uuid(), name.as_bytes())),
            customer_id,
            day: midnight(day),
            active_users: 0,
            logins: 0,
            sessions: 0,
            session_seconds: 0,
            features: FeatureCounts::new(),
            actions: 0,
            emails_opened: 0,
            emails_clicked: 0,
            meetings: 0,
            conversations: 0,
            automated: 0,
        }
    }

    /// Adds an activity of this day, by a user who was not seen on it before or not.
    pub(crate) fn count(&mut self, activity: &NoticedActivity, is_new_user: bool) {
        let one_more = |count: &mut u32| *count = count.saturating_add(1);
        if is_new_user {
            one_more(&mut self.active_users);
        }
        match activity.kind {
            Kind::Login => one_more(&mut self.logins),
            Kind::Session => {
                one_more(&mut self.sessions);
                let took = activity.duration_seconds.unwrap_or(0);
                self.session_seconds = self.session_seconds.saturating_add(took);
            }
            Kind::FeatureUse => {
                let has_room = self.features.len() < FEATURES_MAX;
                let known = |it: &&Code| has_room || self.features.contains_key(*it);
                if let Some(feature) = activity.feature.as_ref().filter(known) {
                    let count = self.features.entry(feature.clone()).or_default();
                    *count = count.saturating_add(1);
                }
            }
            Kind::Action => one_more(&mut self.actions),
            Kind::EmailOpened => one_more(&mut self.emails_opened),
            Kind::EmailClicked => one_more(&mut self.emails_clicked),
            Kind::Meeting => one_more(&mut self.meetings),
            Kind::Conversation => {
                one_more(&mut self.conversations);
                if activity.is_automated {
                    one_more(&mut self.automated);
                }
            }
        }
    }
}

impl ActiveUser {
    /// A month in which the user has done nothing yet: that which `day` is in.
    pub(crate) fn blank(customer_id: CustomerId, user: &ExternalId, day: i32) -> Self {
        let first = first_of_month(day);
        let name = format!("{user} active from {first}");
        Self {
            id: ActiveUserId::from(Uuid::new_v5(&customer_id.uuid(), name.as_bytes())),
            customer_id,
            month: midnight(first),
            user: user.clone(),
            days: 0,
        }
    }

    /// Notes that the user was active on `day`, of this month. Returns whether that is new.
    pub(crate) fn see(&mut self, day: i32) -> bool {
        let before = self.days;
        let bit = u32::try_from(day.saturating_sub(day_of(self.month))).unwrap_or(0);
        self.days |= 1_u32.checked_shl(bit).unwrap_or(0);
        self.days != before
    }

    /// The days on which the user was active, in their order.
    pub(crate) fn seen(&self) -> impl Iterator<Item = i32> + use<> {
        let (first, days) = (day_of(self.month), self.days);
        (0..31).filter(move |bit| days & (1 << bit) != 0).map(move |bit| first.saturating_add(bit))
    }
}

/// The first day of the month that `day` is in.
pub(crate) fn first_of_month(day: i32) -> i32 {
    let of_month = i32::from(midnight(day).day());
    day.saturating_sub(of_month.saturating_sub(1))
}

/// Something that a customer's people did, to be recorded.
///
/// ```
/// use tenure::NewActivity;
/// use time::Duration;
/// use time::macros::datetime;
///
/// let login = NewActivity::login("u_17").at(datetime!(2026-01-31 11:00 UTC)).key("evt_1");
/// let session = NewActivity::session("u_17", Duration::minutes(9));
/// let used = NewActivity::feature_use("u_17", "ai_credits");
/// let exported = NewActivity::of("report_exported").user("u_17");
/// let answered = NewActivity::conversation(true);
/// # drop((login, session, used, exported, answered));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it counts when it is given to `record_activity`"]
#[non_exhaustive]
pub struct NewActivity {
    /// What it was: one of the kinds of [`Activity::kind`], or a code of the host's own.
    pub kind: String,
    /// The host's own id of who did it: without one nobody counts as active.
    pub user: Option<String>,
    /// When it took place; now unless told otherwise.
    pub at: Option<OffsetDateTime>,
    /// The feature that was used; with the kind `feature_use` only.
    pub feature: Option<String>,
    /// How long it took, not below zero; with the kind `session` only.
    pub duration: Option<Duration>,
    /// Whether it was handled without people; with the kind `conversation` only.
    pub is_automated: Option<bool>,
    /// Anything of the host's.
    pub properties: Document,
    /// What makes a retry recognisable; without it every call counts.
    pub idempotency_key: Option<String>,
}

impl NewActivity {
    /// An activity of this kind.
    pub fn of(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            user: None,
            at: None,
            feature: None,
            duration: None,
            is_automated: None,
            properties: Document::new(),
            idempotency_key: None,
        }
    }

    /// `user` logged in.
    pub fn login(user: impl Into<String>) -> Self {
        Self::of(Kind::Login.as_str()).user(user)
    }

    /// `user` spent so long in the product.
    pub fn session(user: impl Into<String>, duration: Duration) -> Self {
        let duration = Some(duration);
        Self { duration, ..Self::of(Kind::Session.as_str()).user(user) }
    }

    /// `user` used the feature with this code.
    pub fn feature_use(user: impl Into<String>, feature: impl Into<String>) -> Self {
        let feature = Some(feature.into());
        Self { feature, ..Self::of(Kind::FeatureUse.as_str()).user(user) }
    }

    /// A conversation that was handled, with people or without.
    pub fn conversation(is_automated: bool) -> Self {
        let is_automated = Some(is_automated);
        Self { is_automated, ..Self::of(Kind::Conversation.as_str()) }
    }

    /// There was a meeting with the customer.
    pub fn meeting() -> Self {
        Self::of(Kind::Meeting.as_str())
    }

    /// Done by this user of the host.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Done then.
    pub const fn at(mut self, at: OffsetDateTime) -> Self {
        self.at = Some(at);
        self
    }

    /// With these words of the host's.
    pub fn properties(mut self, properties: Document) -> Self {
        self.properties = properties;
        self
    }

    /// What makes a retry recognisable.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The record of it, every fault noted under `path`; `now` is when it takes place unless it says
    /// so, `latest` the end of what can have happened.
    pub(crate) fn checked(
        &self,
        path: &str,
        customer_id: CustomerId,
        (now, latest): (OffsetDateTime, OffsetDateTime),
        faults: &mut Faults,
    ) -> Option<Activity> {
        let field = |name: &str| format!("{path}{name}");
        let kind = faults.note(&field("kind"), Code::parse(&self.kind));
        let user = self.user.as_deref();
        let user = user.and_then(|it| faults.note(&field("user"), ExternalId::parse(it)));
        let key = self.idempotency_key.as_deref();
        let key =
            key.and_then(|it| faults.note(&field("idempotencyKey"), IdempotencyKey::parse(it)));
        let feature = self.feature.as_deref();
        let feature = feature.and_then(|it| faults.note(&field("feature"), Code::parse(it)));
        let at = instant::utc(self.at.unwrap_or(now));
        instant::check_past(&field("at"), at, latest, faults);
        let known = kind.as_ref().map(Kind::of);
        let goes_with = [
            ("feature", Kind::FeatureUse, self.feature.is_some()),
            ("duration", Kind::Session, self.duration.is_some()),
            ("isAutomated", Kind::Conversation, self.is_automated.is_some()),
        ];
        for (name, kind, is_given) in goes_with {
            match (known.map(|known| known == kind), is_given) {
                (Some(true), false) => faults.add(field(name), "", "is required"),
                (Some(false), true) => {
                    faults.add(field(name), "…", "belongs to another kind of activity");
                }
                _ => {}
            }
        }
        if let Some(short) = self.duration.filter(|it| it.is_negative()) {
            faults.add(field("duration"), &short.to_string(), "must not be negative");
        }
        Some(Activity {
            id: ActivityId::from(Uuid::nil()),
            customer_id,
            user,
            kind: kind?,
            at,
            feature,
            duration_seconds: self.duration.map(Duration::whole_seconds),
            is_automated: self.is_automated,
            properties: self.properties.clone(),
            idempotency_key: key,
            created_at: now,
        })
    }
}

/// What of an activity is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoticedActivity {
    pub(crate) kind: Kind,
    pub(crate) at: OffsetDateTime,
    pub(crate) feature: Option<Code>,
    pub(crate) duration_seconds: Option<i64>,
    pub(crate) is_automated: bool,
}

impl Activity {
    pub(crate) fn noticed(&self) -> NoticedActivity {
        NoticedActivity {
            kind: Kind::of(&self.kind),
            at: self.at,
            feature: self.feature.clone(),
            duration_seconds: self.duration_seconds,
            is_automated: self.is_automated == Some(true),
        }
    }

    /// The first thing in which another with the same key differs, if it is not a retry. One that
    /// does not say when it took place differs in nothing by being late.
    pub(crate) fn differs_from(&self, other: &Self, is_timed: bool) -> Option<&'static str> {
        if self.kind != other.kind {
            Some("kind")
        } else if is_timed && self.at != other.at {
            Some("time")
        } else if self.user != other.user {
            Some("user")
        } else if (&self.feature, self.duration_seconds, self.is_automated)
            != (&other.feature, other.duration_seconds, other.is_automated)
        {
            Some("quantity")
        } else {
            None
        }
    }
}
