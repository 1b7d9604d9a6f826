//! Activity: recorded, and added up by day for whoever looks at it later.

use crate::domain::access::CustomerRef;
use crate::domain::activity::{
    ActiveUser, ActiveUserId, Activity, ActivityId, DailyActivity, NewActivity, first_of_month,
};
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::metering::BATCH_MAX;
use crate::domain::period::Period;
use crate::domain::pulse::{Pulse, Sighting, day_of};
use crate::domain::text::ExternalId;
use crate::error::{Error, Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

const CUSTOMER: Col = <Activity as Stored>::TABLE.col("customer_id");
const AT: Col = <Activity as Stored>::TABLE.col("at");
const DAY_CUSTOMER: Col = <DailyActivity as Stored>::TABLE.col("customer_id");
const DAY: Col = <DailyActivity as Stored>::TABLE.col("day");
const MONTH_CUSTOMER: Col = <ActiveUser as Stored>::TABLE.col("customer_id");
const MONTH: Col = <ActiveUser as Stored>::TABLE.col("month");

/// By how much a customer's last activity advances before its record says so. The record is read by
/// every check of the customer, and answers that are kept in memory are forgotten when it is written.
const RECORD_EVERY: Duration = Duration::HOUR;

impl View<'_> {
    /// What a customer's people did, the last first, a page at a time; in `period` if one is given.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewActivity, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// tenure.write(|tx| tx.record_activity(acme, &NewActivity::login("u_1")))?;
    /// let all = tenure.read(|view| view.activities(acme, None, 10, None))?.items;
    /// assert_eq!(all[0].kind.as_str(), "login");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn activities(
        &self,
        customer: CustomerId,
        period: Option<Period>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Activity>> {
        self.customer(customer)?;
        let mut query = Query::all().eq(CUSTOMER, &customer).newest_by(AT);
        if let Some(period) = period {
            query = query.filter(AT, Op::Ge, &period.start()).filter(AT, Op::Lt, &period.end());
        }
        self.page(query, limit, cursor)
    }

    /// What a customer's people did by UTC day, the last first, a page at a time. Days on which
    /// nothing was done are left out.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewActivity, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// tenure.write(|tx| tx.record_activity(acme, &NewActivity::login("u_1")))?;
    /// let days = tenure.read(|view| view.daily_activity(acme, 10, None))?.items;
    /// assert_eq!((days.len(), days[0].logins, days[0].active_users), (1, 1, 1));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn daily_activity(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<DailyActivity>> {
        self.customer(customer)?;
        self.page(Query::all().eq(DAY_CUSTOMER, &customer).newest_by(DAY), limit, cursor)
    }

    /// When anybody there last logged in, and last did anything, to the microsecond; none for what
    /// was never reported.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewActivity, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// tenure.write(|tx| tx.record_activity(acme, &NewActivity::meeting()))?;
    /// let (login, activity) = tenure.read(|view| view.last_seen(acme))?;
    /// assert!(login.is_none() && activity.is_some());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn last_seen(
        &self,
        customer: CustomerId,
    ) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>)> {
        self.customer(customer)?;
        let pulse = self.pulse(customer)?;
        Ok((pulse.last_login_at, pulse.last_activity_at))
    }

    /// The days of a customer that begin in `period`, and who was active in their months.
    pub(crate) fn activity_in(
        &self,
        customer: CustomerId,
        period: Period,
    ) -> Result<(Vec<DailyActivity>, Vec<ActiveUser>)> {
        let (start, end) = (period.start(), period.end());
        let days = Query::all().eq(DAY_CUSTOMER, &customer).oldest_by(DAY);
        let days = self.all(days.filter(DAY, Op::Ge, &start).filter(DAY, Op::Lt, &end))?;
        let month = crate::domain::pulse::midnight(first_of_month(day_of(start)));
        let users = Query::all().eq(MONTH_CUSTOMER, &customer).oldest_by(MONTH);
        let users = users.filter(MONTH, Op::Ge, &month).filter(MONTH, Op::Lt, &end);
        Ok((days, self.all(users)?))
    }
}

/// What recording activities of one customer changes.
struct Tally {
    customer: CustomerId,
    pulse: Pulse,
    days: BTreeMap<i32, DailyActivity>,
    users: BTreeMap<ActiveUserId, ActiveUser>,
    kinds: BTreeMap<String, usize>,
    recorded: usize,
}

impl Tx<'_> {
    /// Records something that a customer's people did: a login, a session, the use of a feature, or
    /// what else the host calls by a code of its own. It may lie any time back. A retry with the same
    /// key and content counts nothing and returns what was recorded first.
    ///
    /// [`Customer::last_activity_at`] follows to the hour, so that not every click writes the
    /// customer's record; [`View::last_seen`] has it exactly.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NewActivity, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let day = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     tx.record_activity(acme, &NewActivity::login("u_1").key("evt_1"))?;
    ///     tx.record_activity(acme, &NewActivity::login("u_1").key("evt_1"))?;
    ///     tx.record_activity(acme, &NewActivity::feature_use("u_2", "reports"))?;
    ///     tx.view().daily_activity(acme, 1, None)
    /// })?;
    /// assert_eq!((day.items[0].logins, day.items[0].active_users), (1, 2));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault, also when it lies more than five
    /// minutes ahead; [`Error::KeyReused`] when the key was used for something else.
    pub fn record_activity(
        &mut self,
        customer: impl Into<CustomerRef>,
        new: &NewActivity,
    ) -> Result<Activity> {
        let recorded =
            self.record_all(&customer.into(), std::slice::from_ref(new), |_| String::new())?;
        let none = || Error::rule("the activity was not recorded");
        recorded.into_iter().next().ok_or_else(none)
    }

    /// Records up to 10,000 activities of one customer, all or none of them, each as
    /// [`record_activity`](Self::record_activity) would. They are announced together. Returns them in
    /// their order, retries as they were recorded first.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewActivity, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let week = [NewActivity::login("u_1"), NewActivity::feature_use("u_1", "reports")];
    /// let recorded = tenure.write(|tx| tx.record_activities(acme, &week))?;
    /// assert_eq!(recorded.len(), 2);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`record_activity`](Self::record_activity), with every fault of every activity;
    /// [`Error::Invalid`] when there are none or too many.
    pub fn record_activities(
        &mut self,
        customer: impl Into<CustomerRef>,
        new: &[NewActivity],
    ) -> Result<Vec<Activity>> {
        if new.is_empty() || new.len() > BATCH_MAX {
            let rule = "must be 1–10,000";
            return Err(Error::invalid("activities", &new.len().to_string(), rule));
        }
        self.record_all(&customer.into(), new, |place| format!("activities[{place}]."))
    }

    fn record_all(
        &mut self,
        customer: &CustomerRef,
        new: &[NewActivity],
        path: impl Fn(usize) -> String,
    ) -> Result<Vec<Activity>> {
        let customer = self.view().resolve_customer(customer)?;
        let (mut faults, times) = (Faults::default(), (self.now(), self.latest_past()));
        let mut checked = Vec::with_capacity(new.len());
        for (place, new) in new.iter().enumerate() {
            let activity = new.checked(&path(place), customer.id, times, &mut faults);
            checked.extend(activity.map(|it| (it, new.at.is_some())));
        }
        faults.check()?;
        self.whole(|tx| {
            let mut tally = Tally {
                customer: customer.id,
                pulse: tx.view().pulse(customer.id)?,
                days: BTreeMap::new(),
                users: BTreeMap::new(),
                kinds: BTreeMap::new(),
                recorded: 0,
            };
            let mut recorded = Vec::with_capacity(checked.len());
            for (activity, is_timed) in checked {
                recorded.push(tx.record_one(activity, is_timed, &mut tally)?);
            }
            tx.keep_tally(customer, &tally)?;
            Ok(recorded)
        })
    }

    /// Writes an activity unless its key was used before, and adds it to the tally.
    fn record_one(
        &mut self,
        mut activity: Activity,
        is_timed: bool,
        tally: &mut Tally,
    ) -> Result<Activity> {
        activity.id = match &activity.idempotency_key {
            Some(key) => ActivityId::of(tally.customer, key),
            None => self.fresh(),
        };
        if !self.insert(&activity)? {
            let first = self.require::<Activity>(activity.id)?;
            return match (first.differs_from(&activity, is_timed), &activity.idempotency_key) {
                (Some(field), Some(key)) => {
                    let (key, event_id) = (key.to_string(), first.id.uuid());
                    Err(Error::KeyReused { key, field, event_id })
                }
                _ => Ok(first),
            };
        }
        let (noticed, day, today) = (activity.noticed(), day_of(activity.at), day_of(self.now()));
        let sighting = match &activity.user {
            Some(user) => Some(self.sighting(tally, user, day, today)?),
            None => None,
        };
        let blank = DailyActivity::blank(tally.customer, day);
        let of_day = match tally.days.entry(day) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(self.get(blank.id)?.unwrap_or(blank))
            }
        };
        of_day.count(&noticed, sighting.is_some_and(|it| it.is_new));
        tally.pulse.count(&noticed, sighting, today);
        let of_kind = tally.kinds.entry(activity.kind.to_string()).or_default();
        *of_kind = of_kind.saturating_add(1);
        tally.recorded = tally.recorded.saturating_add(1);
        Ok(activity)
    }

    /// Notes that a user was seen on `day`, and looks up when that was so before.
    fn sighting(
        &self,
        tally: &mut Tally,
        user: &ExternalId,
        day: i32,
        today: i32,
    ) -> Result<Sighting> {
        if !self.month_of_user(tally, user, day)?.see(day) {
            return Ok(Sighting::default());
        }
        // The months of the days that are kept, from the last one back.
        let first = Pulse::first_kept(today).saturating_add(1);
        let (mut last, mut month) = (None, first_of_month(today.max(day)));
        while last.is_none() && day >= first {
            let seen = self.month_of_user(tally, user, month)?.seen();
            last = seen.filter(|it| *it != day && *it >= first).max();
            if month <= first {
                break;
            }
            month = first_of_month(month.saturating_sub(1));
        }
        Ok(Sighting { is_new: true, last })
    }

    fn month_of_user<'t>(
        &self,
        tally: &'t mut Tally,
        user: &ExternalId,
        day: i32,
    ) -> Result<&'t mut ActiveUser> {
        let blank = ActiveUser::blank(tally.customer, user, day);
        Ok(match tally.users.entry(blank.id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(self.get(blank.id)?.unwrap_or(blank))
            }
        })
    }

    fn keep_tally(&mut self, mut customer: Customer, tally: &Tally) -> Result<()> {
        if tally.recorded == 0 {
            return Ok(());
        }
        self.put(&tally.pulse)?;
        for day in tally.days.values() {
            self.put(day)?;
        }
        for user in tally.users.values().filter(|it| it.days != 0) {
            if self.get::<ActiveUser>(user.id)?.as_ref() != Some(user) {
                self.put(user)?;
            }
        }
        let last = tally.pulse.last_activity_at;
        let noted = customer.last_activity_at.map(|at| at.saturating_add(RECORD_EVERY));
        if last.is_some() && noted.is_none_or(|noted| last >= Some(noted)) {
            // Nobody changed the customer: its version stays, so that nobody's change is refused.
            customer.last_activity_at = last;
            self.put(&customer)?;
        }
        if let (Some(at), true) = (tally.pulse.last_login_at, tally.kinds.contains_key("login")) {
            self.note_login(tally.customer, at)?;
        }
        let data = json!({ "activities": tally.recorded, "kinds": tally.kinds });
        self.announce("activity.recorded", tally.customer, tally.customer, data);
        Ok(())
    }
}
